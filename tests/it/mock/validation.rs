//! The 422 answers: shape, wording and echo are those of the framework behind the service.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::harness::{AVATAR, From, Lab, full, lite, operation, problem, send, with};

async fn detail(lab: &Lab, path: &str) -> Value {
    let reply = lab.get(path).await;
    assert_eq!(reply.status, 422, "{}", reply.body);
    reply.body
}

async fn refused(body: Value) -> Value {
    let reply = Lab::start().await.mint(body).await;
    assert_eq!(reply.status, 422, "{}", reply.body);
    reply.body
}

#[tokio::test]
async fn a_required_query_parameter_is_missed() {
    let expected = problem("missing", json!(["query", "type"]), "Field required", Value::Null, Value::Null);
    assert_eq!(detail(&Lab::start().await, "/v1/sessions").await, expected);
}

#[tokio::test]
async fn query_parameters_are_read_as_their_types() {
    let lab = Lab::start().await;
    let case = |kind, name, message, input, context| {
        problem(kind, json!(["query", name]), message, json!(input), context)
    };
    assert_eq!(
        detail(&lab, "/v1/voices?page=two").await,
        case(
            "int_parsing",
            "page",
            "Input should be a valid integer, unable to parse string as an integer",
            "two",
            Value::Null
        )
    );
    assert_eq!(
        detail(&lab, "/v1/voices?page=0").await,
        case(
            "greater_than_equal",
            "page",
            "Input should be greater than or equal to 1",
            "0",
            json!({ "ge": 1 })
        )
    );
    assert_eq!(
        detail(&lab, "/v1/voices?page_size=101").await,
        case(
            "less_than_equal",
            "page_size",
            "Input should be less than or equal to 100",
            "101",
            json!({ "le": 100 })
        )
    );
    let expected = "'active' or 'historic'";
    assert_eq!(
        detail(&lab, "/v1/sessions?type=all").await,
        case(
            "literal_error",
            "type",
            "Input should be 'active' or 'historic'",
            "all",
            json!({ "expected": expected })
        )
    );
    assert_eq!(lab.get("/v1/sessions?type=active&page_size=100").await.status, 200);
}

#[tokio::test]
async fn an_optional_parameter_may_be_of_its_type_only() {
    let lab = Lab::start().await;
    let (id, _) = lab.running(full()).await;
    let path = format!("/v1/sessions/{id}/transcript?start_timestamp=");
    assert_eq!(detail(&lab, &format!("{path}soon")).await["detail"][0]["type"], "int_parsing");
    assert_eq!(lab.get(&format!("{path}12")).await.status, 200);
}

#[tokio::test]
async fn a_path_parameter_is_checked() {
    let expected = problem(
        "uuid_parsing",
        json!(["path", "context_id"]),
        "Input should be a valid UUID",
        json!("nine"),
        Value::Null,
    );
    assert_eq!(detail(&Lab::start().await, "/v1/contexts/nine").await, expected);
}

#[tokio::test]
async fn a_missing_field_is_named_in_the_member_that_the_mode_chooses() {
    let body = json!({ "mode": "FULL" });
    let expected =
        problem("missing", json!(["body", "avatar_id"]), "Field required", body.clone(), Value::Null);
    assert_eq!(refused(body).await, expected);
}

#[tokio::test]
async fn a_wrong_value_is_echoed() {
    let expected = problem(
        "uuid_parsing",
        json!(["body", "avatar_id"]),
        "Input should be a valid UUID",
        json!("Anna"),
        Value::Null,
    );
    assert_eq!(refused(with(lite(), json!({ "avatar_id": "Anna" }))).await, expected);
}

#[tokio::test]
async fn a_field_of_the_wrong_member_does_not_hide_the_problem() {
    // Without a mode the fields decide: voice_agent belongs to FULL only.
    let body = json!({ "avatar_id": AVATAR, "voice_agent": { "id": "nine" } });
    let place = json!(["body", "voice_agent", "id"]);
    let expected = problem("uuid_parsing", place, "Input should be a valid UUID", json!("nine"), Value::Null);
    assert_eq!(refused(body).await, expected);
}

#[tokio::test]
async fn an_unknown_mode_lists_the_known_ones() {
    let expected = problem(
        "literal_error",
        json!(["body", "mode"]),
        "Input should be 'FULL', 'LITE' or 'CUSTOM'",
        json!("HALF"),
        json!({ "expected": "'FULL', 'LITE' or 'CUSTOM'" }),
    );
    assert_eq!(refused(with(lite(), json!({ "mode": "HALF" }))).await, expected);
}

#[tokio::test]
async fn a_nested_union_names_the_field_of_the_tagged_member() {
    let settings = json!({ "voice_settings": { "provider": "fish", "speed": 2 } });
    let expected = problem(
        "less_than_equal",
        json!(["body", "avatar_persona", "voice_settings", "speed"]),
        "Input should be less than or equal to 1.2",
        json!(2),
        json!({ "le": 1.2 }),
    );
    assert_eq!(refused(with(full(), json!({ "avatar_persona": settings }))).await, expected);
}

#[tokio::test]
async fn every_problem_is_reported() {
    let settings = json!({ "quality": "best", "encoding": 7 });
    let body = json!({ "mode": "LITE", "video_settings": settings, "is_sandbox": "maybe" });
    let reply = refused(body).await;
    let mut found: Vec<_> = reply["detail"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|problem| (problem["type"].as_str().unwrap_or_default(), problem["loc"].to_string()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("bool_parsing", r#"["body","is_sandbox"]"#.to_owned()),
            ("enum", r#"["body","video_settings","encoding"]"#.to_owned()),
            ("enum", r#"["body","video_settings","quality"]"#.to_owned()),
            ("missing", r#"["body","avatar_id"]"#.to_owned()),
        ]
        .map(|(kind, place)| (kind, place))
    );
}

#[tokio::test]
async fn limits_of_text_are_checked() {
    let lab = Lab::start().await;
    let create = operation("create_secret");
    let body = json!({ "secret_name": "n".repeat(256), "secret_value": "", "secret_type": "LLM_API_KEY" });
    let reply = lab.post(From::Key, create.path, body).await;
    let messages: Vec<_> = reply.body["detail"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|problem| problem["msg"].clone())
        .collect();
    for message in [
        "String should have at most 255 characters",
        "String should have at least 1 character",
        "Input should be 'OPENAI_API_KEY', 'ELEVENLABS_API_KEY' or 'GEMINI_API_KEY'",
    ] {
        assert!(messages.contains(&json!(message)), "{messages:?}");
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let lab = Lab::start().await;
    let reply = lab.mint(with(lite(), json!({ "video_quality": "high" }))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn null_counts_as_absent_where_it_is_allowed() {
    let lab = Lab::start().await;
    let body =
        with(full(), json!({ "voice_agent": null, "max_session_duration": null, "dynamic_variables": null }));
    assert_eq!(lab.mint(body).await.status, 200);
}

#[tokio::test]
async fn broken_json_names_its_place() {
    let lab = Lab::start().await;
    let request = lab.request(From::Key, "POST", "/v1/contexts").header("content-type", "application/json");
    let reply = send(request.body("{\"name\":\n oops}")).await;
    let context = json!({ "error": "Expecting value" });
    let expected = problem("json_invalid", json!(["body", 10]), "JSON decode error", json!({}), context);
    assert_eq!((reply.status, reply.body), (422, expected));
}

#[tokio::test]
async fn a_required_body_is_missed() {
    let lab = Lab::start().await;
    let reply = send(lab.request(From::Key, "POST", "/v1/contexts")).await;
    let expected = problem("missing", json!(["body"]), "Field required", Value::Null, Value::Null);
    assert_eq!((reply.status, reply.body), (422, expected));
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let lab = Lab::start().await;
    let message = "Input should be a valid dictionary or object to extract fields from";
    let reply = lab.post(From::Key, "/v1/contexts", json!([1])).await;
    let expected = problem("model_attributes_type", json!(["body"]), message, json!([1]), Value::Null);
    assert_eq!((reply.status, reply.body), (422, expected));
    // The framework does not parse what is not declared as JSON.
    let request = lab.request(From::Key, "POST", "/v1/contexts").header("content-type", "text/plain");
    let reply = send(request.body("{}")).await;
    let expected = problem("model_attributes_type", json!(["body"]), message, json!("{}"), Value::Null);
    assert_eq!((reply.status, reply.body), (422, expected));
}

#[tokio::test]
async fn credentials_are_checked_before_the_body() {
    let lab = Lab::start().await;
    assert_eq!(lab.post(From::Nobody, "/v1/contexts", json!([1])).await.status, 401);
}

#[tokio::test]
async fn an_upload_needs_its_file_and_a_known_resolution() {
    let lab = Lab::start().await;
    let path = operation("create_image_avatar").path;
    let post = |form| send(lab.request(From::Key, "POST", path).multipart(form));
    let file = || Part::bytes(vec![1, 2, 3]).file_name("a.png");

    let reply = post(Form::new().text("resolution", "720")).await;
    assert_eq!(reply.status, 422);
    assert_eq!(reply.body["detail"][0]["loc"], json!(["body", "file"]));
    assert_eq!(reply.body["detail"][0]["type"], "missing");

    let reply = post(Form::new().text("file", "not a file")).await;
    assert_eq!(reply.body["detail"][0]["msg"], "Value error, Expected UploadFile, received: <class 'str'>");

    let reply = post(Form::new().part("file", file()).text("resolution", "480")).await;
    assert_eq!(reply.body["detail"][0]["msg"], "Input should be '720' or '1080'");

    assert_eq!(post(Form::new().part("file", file()).text("resolution", "1080")).await.status, 200);
    assert_eq!(post(Form::new().part("file", file())).await.status, 200);
}

#[tokio::test]
async fn a_malformed_upload_is_a_400() {
    let lab = Lab::start().await;
    let request = lab.request(From::Key, "POST", operation("create_image_avatar").path);
    let reply = send(request.header("content-type", "multipart/form-data; boundary=x").body("nothing")).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.body, json!({ "detail": "There was an error parsing the body" }));
}
