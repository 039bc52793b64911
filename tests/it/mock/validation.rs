//! The 422 responses: their shape, wording and echoed values are those of the service's framework.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::harness::{AVATAR, Auth, Mock, full, lite, operation, send, violation, with};

async fn detail(mock: &Mock, path: &str) -> Value {
    let response = mock.get(path).await;
    assert_eq!(response.status, 422, "{}", response.body);
    response.body
}

async fn rejected(body: Value) -> Value {
    let response = Mock::start().await.mint(body).await;
    assert_eq!(response.status, 422, "{}", response.body);
    response.body
}

#[tokio::test]
async fn a_missing_query_parameter_is_reported() {
    let expected = violation("missing", json!(["query", "type"]), "Field required", Value::Null, Value::Null);
    assert_eq!(detail(&Mock::start().await, "/v1/sessions").await, expected);
}

#[tokio::test]
async fn query_parameters_are_converted_to_their_types() {
    let mock = Mock::start().await;
    let case = |kind, name, message, input, context| {
        violation(kind, json!(["query", name]), message, json!(input), context)
    };
    assert_eq!(
        detail(&mock, "/v1/voices?page=two").await,
        case(
            "int_parsing",
            "page",
            "Input should be a valid integer, unable to parse string as an integer",
            "two",
            Value::Null
        )
    );
    assert_eq!(
        detail(&mock, "/v1/voices?page=0").await,
        case(
            "greater_than_equal",
            "page",
            "Input should be greater than or equal to 1",
            "0",
            json!({ "ge": 1 })
        )
    );
    assert_eq!(
        detail(&mock, "/v1/voices?page_size=101").await,
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
        detail(&mock, "/v1/sessions?type=all").await,
        case(
            "literal_error",
            "type",
            "Input should be 'active' or 'historic'",
            "all",
            json!({ "expected": expected })
        )
    );
    assert_eq!(mock.get("/v1/sessions?type=active&page_size=100").await.status, 200);
}

#[tokio::test]
async fn an_optional_parameter_must_have_its_type() {
    let mock = Mock::start().await;
    let (id, _) = mock.start_session(full()).await;
    let path = format!("/v1/sessions/{id}/transcript?start_timestamp=");
    assert_eq!(detail(&mock, &format!("{path}soon")).await["detail"][0]["type"], "int_parsing");
    assert_eq!(mock.get(&format!("{path}12")).await.status, 200);
}

#[tokio::test]
async fn a_path_parameter_is_checked() {
    let expected = violation(
        "uuid_parsing",
        json!(["path", "context_id"]),
        "Input should be a valid UUID",
        json!("nine"),
        Value::Null,
    );
    assert_eq!(detail(&Mock::start().await, "/v1/contexts/nine").await, expected);
}

#[tokio::test]
async fn the_mode_chooses_the_schema_that_a_missing_field_violates() {
    let body = json!({ "mode": "FULL" });
    let expected =
        violation("missing", json!(["body", "avatar_id"]), "Field required", body.clone(), Value::Null);
    assert_eq!(rejected(body).await, expected);
}

#[tokio::test]
async fn an_invalid_value_is_echoed() {
    let expected = violation(
        "uuid_parsing",
        json!(["body", "avatar_id"]),
        "Input should be a valid UUID",
        json!("Anna"),
        Value::Null,
    );
    assert_eq!(rejected(with(lite(), json!({ "avatar_id": "Anna" }))).await, expected);
}

#[tokio::test]
async fn without_a_mode_the_fields_choose_the_schema() {
    // Only FULL has `voice_agent`.
    let body = json!({ "avatar_id": AVATAR, "voice_agent": { "id": "nine" } });
    let place = json!(["body", "voice_agent", "id"]);
    let expected =
        violation("uuid_parsing", place, "Input should be a valid UUID", json!("nine"), Value::Null);
    assert_eq!(rejected(body).await, expected);
}

#[tokio::test]
async fn an_unknown_mode_lists_the_valid_modes() {
    let expected = violation(
        "literal_error",
        json!(["body", "mode"]),
        "Input should be 'FULL', 'LITE' or 'CUSTOM'",
        json!("HALF"),
        json!({ "expected": "'FULL', 'LITE' or 'CUSTOM'" }),
    );
    assert_eq!(rejected(with(lite(), json!({ "mode": "HALF" }))).await, expected);
}

#[tokio::test]
async fn a_nested_union_reports_the_field_of_the_tagged_member() {
    let settings = json!({ "voice_settings": { "provider": "fish", "speed": 2 } });
    let expected = violation(
        "less_than_equal",
        json!(["body", "avatar_persona", "voice_settings", "speed"]),
        "Input should be less than or equal to 1.2",
        json!(2),
        json!({ "le": 1.2 }),
    );
    assert_eq!(rejected(with(full(), json!({ "avatar_persona": settings }))).await, expected);
}

#[tokio::test]
async fn every_violation_is_reported() {
    let settings = json!({ "quality": "best", "encoding": 7 });
    let body = json!({ "mode": "LITE", "video_settings": settings, "is_sandbox": "maybe" });
    insta::assert_json_snapshot!(rejected(body).await["detail"]);
}

#[tokio::test]
async fn string_lengths_are_checked() {
    let mock = Mock::start().await;
    let create = operation("create_secret");
    let body = json!({ "secret_name": "n".repeat(256), "secret_value": "", "secret_type": "LLM_API_KEY" });
    let response = mock.post(Auth::Key, create.path, body).await;
    insta::assert_json_snapshot!(response.body["detail"]);
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let mock = Mock::start().await;
    let response = mock.mint(with(lite(), json!({ "video_quality": "high" }))).await;
    assert_eq!(response.status, 200, "{}", response.body);
}

#[tokio::test]
async fn an_allowed_null_counts_as_absent() {
    let mock = Mock::start().await;
    let body =
        with(full(), json!({ "voice_agent": null, "max_session_duration": null, "dynamic_variables": null }));
    assert_eq!(mock.mint(body).await.status, 200);
}

#[tokio::test]
async fn invalid_json_is_reported_with_its_position() {
    let mock = Mock::start().await;
    let request = mock.request(Auth::Key, "POST", "/v1/contexts").header("content-type", "application/json");
    let response = send(request.body("{\"name\":\n oops}")).await;
    let context = json!({ "error": "Expecting value" });
    let expected = violation("json_invalid", json!(["body", 10]), "JSON decode error", json!({}), context);
    assert_eq!((response.status, response.body), (422, expected));
}

#[tokio::test]
async fn a_missing_body_is_reported() {
    let mock = Mock::start().await;
    let response = send(mock.request(Auth::Key, "POST", "/v1/contexts")).await;
    let expected = violation("missing", json!(["body"]), "Field required", Value::Null, Value::Null);
    assert_eq!((response.status, response.body), (422, expected));
}

#[tokio::test]
async fn a_body_must_be_an_object() {
    let mock = Mock::start().await;
    let message = "Input should be a valid dictionary or object to extract fields from";
    let response = mock.post(Auth::Key, "/v1/contexts", json!([1])).await;
    let expected = violation("model_attributes_type", json!(["body"]), message, json!([1]), Value::Null);
    assert_eq!((response.status, response.body), (422, expected));
    // The framework parses a body only if its content type is JSON.
    let request = mock.request(Auth::Key, "POST", "/v1/contexts").header("content-type", "text/plain");
    let response = send(request.body("{}")).await;
    let expected = violation("model_attributes_type", json!(["body"]), message, json!("{}"), Value::Null);
    assert_eq!((response.status, response.body), (422, expected));
}

#[tokio::test]
async fn credentials_are_checked_before_the_body() {
    let mock = Mock::start().await;
    assert_eq!(mock.post(Auth::None, "/v1/contexts", json!([1])).await.status, 401);
}

#[tokio::test]
async fn an_upload_requires_a_file_and_a_known_resolution() {
    let mock = Mock::start().await;
    let path = operation("create_image_avatar").path;
    let post = |form| send(mock.request(Auth::Key, "POST", path).multipart(form));
    let file = || Part::bytes(vec![1, 2, 3]).file_name("a.png");

    let response = post(Form::new().text("resolution", "720")).await;
    assert_eq!(response.status, 422);
    assert_eq!(response.body["detail"][0]["loc"], json!(["body", "file"]));
    assert_eq!(response.body["detail"][0]["type"], "missing");

    let response = post(Form::new().text("file", "not a file")).await;
    assert_eq!(
        response.body["detail"][0]["msg"],
        "Value error, Expected UploadFile, received: <class 'str'>"
    );

    let response = post(Form::new().part("file", file()).text("resolution", "480")).await;
    assert_eq!(response.body["detail"][0]["msg"], "Input should be '720' or '1080'");

    assert_eq!(post(Form::new().part("file", file()).text("resolution", "1080")).await.status, 200);
    assert_eq!(post(Form::new().part("file", file())).await.status, 200);
}

#[tokio::test]
async fn a_malformed_upload_is_a_400() {
    let mock = Mock::start().await;
    let request = mock.request(Auth::Key, "POST", operation("create_image_avatar").path);
    let response =
        send(request.header("content-type", "multipart/form-data; boundary=x").body("nothing")).await;
    assert_eq!(response.status, 400);
    assert_eq!(response.body, json!({ "detail": "There was an error parsing the body" }));
}
