//! Documents of other FastAPI services: what the lowering and the generator make of them.

use serde_json::json;
use xtask::surface;

use super::fastapi::{lowered, oldest as fastapi};

#[test]
fn code_is_generated_for_everything_that_fastapi_offers() {
    let lowered = lowered(fastapi());
    let refused: Vec<String> = lowered.refused.iter().map(|refused| refused.error().to_string()).collect();
    let surface = surface::generated(&lowered.document).unwrap();
    insta::assert_snapshot!(format!("{surface}\nrefused:\n{}", refused.join("\n")));
}

#[test]
fn an_operation_is_named_after_its_method_and_path_without_an_operation_id() {
    let mut document = fastapi();
    document["paths"]["/v1/nodes"]["get"].as_object_mut().unwrap().remove("operationId");
    let surface = surface::generated(&lowered(document).document).unwrap();
    let call = surface::SurfaceItem::Call("get_v1_nodes".to_owned());
    assert_eq!(surface.get(&call), Some("Vec<NodeOutput>"));
}

#[test]
fn success_statuses_with_one_body_are_one_response() {
    let mut document = fastapi();
    document["paths"]["/v1/nodes"]["get"]["responses"]["204"] = json!({ "description": "none" });
    document["paths"]["/v1/root"]["get"]["responses"] = json!({ "307": { "description": "elsewhere" } });
    let lowered = lowered(document);
    let refused: Vec<String> = lowered.refused.iter().map(|refused| refused.error().to_string()).collect();
    let others = |error: &&String| !error.contains("post /v1/two") && !error.contains("get /v1/text");
    assert_eq!(refused.iter().find(others), None);
    let surface = surface::generated(&lowered.document).unwrap();
    let data = |call: &str| surface.get(&surface::SurfaceItem::Call(call.to_owned()));
    assert_eq!([data("nodes"), data("root")], [Some("Vec<NodeOutput>"), Some("()")]);
}

#[test]
fn a_response_that_is_not_json_is_refused() {
    let mut document = fastapi();
    document["paths"]["/v1/nodes"]["get"]["responses"]["200"]["content"] = json!({ "image/png": {} });
    let refused = lowered(document).refused;
    assert_eq!(
        refused[0].error().to_string(),
        "get /v1/nodes responds with image/png, not with application/json\n  \
         fix: remove the operation in openapi/overlay.json, and write its method by hand"
    );
}

#[test]
fn what_the_generator_rejects_is_named_with_its_place_and_operation() {
    let mut document = fastapi();
    document["components"]["schemas"]["Alpha"]["properties"]["a"] = json!({ "type": "strong" });
    document["paths"]["/v1/any"]["get"]["parameters"][0]["style"] = json!("spaceDelimited");
    let error = surface::generated(&lowered(document).document).unwrap_err();
    insta::assert_snapshot!(error);
}
