//! Responses decode even if they have unknown values, unknown fields, nulls or missing parts. Requests stay strict.

use std::collections::BTreeSet;

use liveavatar_api::raw::{OPERATIONS, Operation};
use liveavatar_api::types::{self, SessionMode};
use liveavatar_api::{Credential, CredentialKind, Credits, Error, ErrorKind, OpenEnum, Timestamp};
use liveavatar_mock::{MockResponse, Server, example_requests, example_response, operations};
use liveavatar_tests::{Decoded, call, client};
use serde_json::{Value, json};
use xtask::documents;

/// Returns a copy of the value for every place that `change` changes, with the place's pointer.
fn variants(value: &Value, change: &dyn Fn(&Value) -> Option<Value>) -> Vec<(String, Value)> {
    fn walk(
        root: &Value,
        at: &str,
        change: &dyn Fn(&Value) -> Option<Value>,
        found: &mut Vec<(String, Value)>,
    ) {
        let here = root.pointer(at).unwrap();
        if let Some(new) = change(here) {
            let mut copy = root.clone();
            *copy.pointer_mut(at).unwrap() = new;
            found.push((at.to_owned(), copy));
        }
        match here {
            Value::Object(map) => {
                map.keys().for_each(|key| walk(root, &format!("{at}/{key}"), change, found));
            }
            Value::Array(items) => {
                (0..items.len()).for_each(|index| walk(root, &format!("{at}/{index}"), change, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", change, &mut found);
    found
}

/// Calls the operation on a server that sends this response.
async fn decode(server: &Server, id: &str, response: Value) -> Result<Decoded, Error> {
    let operation = Operation::find(id).unwrap();
    let mut client = client(server);
    if operation.credentials == [CredentialKind::SessionToken] {
        client = client.with_credential(Credential::session_token("t").unwrap());
    }
    let status = operations().find(|known| known.name == id).unwrap().success;
    server.mock_response(id, MockResponse::json(status, response));
    call(&client, id, &example_requests(id)[0]).await
}

/// The corrected document, which the responses follow.
fn corrected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(documents::root().join(documents::CORRECTED)).unwrap())
        .unwrap()
}

/// Returns every enum value of the document.
fn enum_values() -> Vec<String> {
    fn walk(value: &Value, values: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                let list = map.get("enum").and_then(Value::as_array).into_iter().flatten();
                values.extend(list.filter_map(Value::as_str).map(str::to_owned));
                map.values().for_each(|inner| walk(inner, values));
            }
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, values)),
            _ => {}
        }
    }
    let mut values = Vec::new();
    walk(&corrected(), &mut values);
    values
}

#[tokio::test]
async fn an_unknown_enum_value_is_kept_in_every_response() {
    let server = Server::start().await.unwrap();
    let known = enum_values();
    let mut changed = 0;
    for operation in OPERATIONS {
        let Some(response) = example_response(operation.id) else { continue };
        let change = |value: &Value| {
            let text = value.as_str()?;
            known.iter().any(|known| known == text).then(|| json!("BRAND_NEW"))
        };
        for (place, variant) in variants(&response, &change) {
            let decoded = decode(&server, operation.id, variant.clone()).await;
            let decoded = decoded.unwrap_or_else(|error| panic!("{} {place}: {error}", operation.id));
            assert_eq!(decoded.json, variant["data"], "{} {place}", operation.id);
            changed += 1;
        }
    }
    assert!(changed > 20, "only {changed} enum values found");
}

#[tokio::test]
async fn an_unknown_field_is_ignored_in_every_response() {
    let server = Server::start().await.unwrap();
    for operation in OPERATIONS {
        // `list_llm_models` returns a map, whose values must be lists.
        let changeable = example_response(operation.id).filter(|_| operation.id != "list_llm_models");
        let Some(response) = changeable else { continue };
        let change = |value: &Value| {
            let mut map = value.as_object().filter(|map| !map.is_empty())?.clone();
            map.insert("brand_new".to_owned(), json!({ "deep": [1] }));
            Some(Value::Object(map))
        };
        for (place, variant) in variants(&response, &change) {
            let decoded = decode(&server, operation.id, variant).await;
            assert!(decoded.is_ok(), "{} {place}: {:?}", operation.id, decoded.err());
        }
    }
}

/// Finds the places of a response that are optional or nullable by the document.
fn optional_parts(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        return optional_parts(document, document.pointer(&name[1..]).unwrap(), value, at, found);
    }
    for member in schema["anyOf"].as_array().into_iter().flatten() {
        optional_parts(document, member, value, at, found);
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        optional_parts(document, &schema["items"], value, &format!("{at}/{index}"), found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let Some(value) = value.get(name) else { continue };
        let place = format!("{at}/{name}");
        let required = schema["required"].as_array().is_some_and(|list| list.contains(&json!(name)));
        let nullable =
            property["anyOf"].as_array().into_iter().flatten().any(|member| member["type"] == "null");
        if !required || nullable {
            found.insert(place.clone());
        }
        optional_parts(document, property, value, &place, found);
    }
}

#[tokio::test]
async fn a_response_without_its_optional_parts_decodes() {
    let server = Server::start().await.unwrap();
    let document = corrected();
    let mut tried = 0;
    for operation in OPERATIONS {
        let Some(response) = example_response(operation.id) else { continue };
        let responses = &document["paths"][operation.path][operation.method.to_lowercase()]["responses"];
        let success =
            responses.as_object().unwrap().iter().find(|(status, _)| status.starts_with('2')).unwrap().1;
        let mut places = BTreeSet::new();
        optional_parts(
            &document,
            &success["content"]["application/json"]["schema"],
            &response,
            "",
            &mut places,
        );
        // Missing data is checked when the envelope is opened.
        places.remove("/data");
        for place in places {
            let (parent, name) = place.rsplit_once('/').unwrap();
            let mut missing = response.clone();
            missing.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            let mut null = response.clone();
            *null.pointer_mut(&place).unwrap() = Value::Null;
            for (what, variant) in [("missing", missing), ("null", null)] {
                let decoded = decode(&server, operation.id, variant).await;
                assert!(decoded.is_ok(), "{} {place} {what}: {:?}", operation.id, decoded.err());
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "only {tried} parts were left out");
}

#[tokio::test]
async fn an_envelope_keeps_the_raw_data() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let data = r#"{"credits_left": "1.50",  "brand_new": [1.0, {"b": 1e2, "a": null}]}"#;
    let text = format!(r#"{{"code":1000,"data":{data},"message":"ok"}}"#);
    server.mock_response("get_user_credits", MockResponse::raw(200, "application/json", text.clone()));
    let envelope = client.get_user_credits().send_raw().await.unwrap().body;
    assert_eq!(envelope.raw_data(), Some(data));
    assert_eq!(envelope.data().unwrap().credits_left.as_ref().unwrap().to_string(), "1.50");
    assert_eq!(serde_json::to_string(&envelope).unwrap(), text);

    // Data of an unexpected shape is kept too, with status and headers.
    let text = r#"{"code":1000,"data":["another", "shape"],"message":null}"#;
    server.mock_response("get_user_credits", MockResponse::raw(200, "application/json", text));
    let response = client.get_user_credits().send_raw().await.unwrap();
    assert!(response.headers.contains_key("x-request-id"));
    let envelope = response.body;
    assert_eq!((envelope.data(), envelope.raw_data()), (None, Some(r#"["another", "shape"]"#)));
    assert_eq!(serde_json::to_string(&envelope).unwrap(), text);
}

/// Returns the names of the fields in which a changed scalar of the response data cannot be decoded, and the number of changes.
async fn undecodable(change: &dyn Fn(&Value) -> Option<Value>) -> (usize, String) {
    let server = Server::start().await.unwrap();
    let (mut changes, mut fields) = (0, BTreeSet::new());
    for operation in OPERATIONS {
        let Some(response) = example_response(operation.id) else { continue };
        let scalars =
            |value: &Value| if value.is_object() || value.is_array() { None } else { change(value) };
        for (place, variant) in variants(&response, &scalars) {
            if !place.starts_with("/data") {
                continue;
            }
            changes += 1;
            if let Err(error) = decode(&server, operation.id, variant).await {
                assert_eq!(error.kind(), ErrorKind::Decode, "{} {place}: {error}", operation.id);
                let parts: Vec<_> = place.rsplit('/').collect();
                // An entry of a list is named after its list.
                let is_entry = parts[0].parse::<usize>().is_ok();
                fields.insert(if is_entry {
                    format!("{}/{}", parts[1], parts[0])
                } else {
                    parts[0].to_owned()
                });
            }
        }
    }
    (changes, fields.into_iter().collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn null_decodes_everywhere_except_in_ids_secrets_and_lists() {
    let (changes, fields) = undecodable(&|value| (!value.is_null()).then_some(Value::Null)).await;
    assert!(changes > 150, "only {changes} places");
    insta::assert_snapshot!(fields, @"
    embed_id
    id
    openai/0
    prompt
    required_dynamic_variables/0
    secret_id
    session_id
    session_token
    tags/0
    voice_id
    ");
}

#[tokio::test]
async fn a_number_decodes_from_a_string() {
    let (changes, fields) = undecodable(&|value| value.is_number().then(|| json!(value.to_string()))).await;
    assert!(changes > 15, "only {changes} places");
    assert_eq!(fields, "");
}

#[test]
fn timestamps_are_read_with_and_without_a_time_zone() {
    let read = |text: &str| serde_json::from_value::<Timestamp>(json!(text)).unwrap();
    let noon = read("2026-01-01T12:00:00Z");
    assert_eq!(noon.utc().unwrap().timestamp(), 1_767_268_800);
    assert_eq!(read("2026-01-01T12:00:00"), noon);
    assert_eq!(read("2026-01-01T14:00:00+02:00"), noon);
    assert_eq!(read("2026-01-01T12:00:00.250000").to_string(), "2026-01-01T12:00:00.250Z");
    assert_eq!(serde_json::to_value(read("soon")).unwrap(), json!("soon"));
}

#[test]
fn credits_keep_their_exact_value_as_string_or_number() {
    for (wire, amount) in [
        (json!("12.10"), "12.10"),
        (json!("0.1"), "0.1"),
        (json!("+7."), "7"),
        (json!(".5"), "0.5"),
        (json!(0.1), "0.1"),
        (json!(2), "2"),
        (json!(1e3), "1000.0"),
        (json!("123456789012345.678901"), "123456789012345.678901"),
    ] {
        let credits: Credits = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(credits.amount().unwrap().to_string(), amount, "{wire}");
        assert_eq!(serde_json::to_value(&credits).unwrap(), wire);
    }
    let odd: Credits = serde_json::from_value(json!("unlimited")).unwrap();
    assert_eq!((odd.amount(), odd.to_string().as_str()), (None, "unlimited"));
}

#[test]
fn requests_reject_unknown_values_unless_they_are_given_on_purpose() {
    assert!("HOLOGRAM".parse::<types::VideoQuality>().is_err());
    let error = types::VideoSettings::builder().quality("best").build().unwrap_err();
    assert!(error.is_invalid_request() && error.fields()[0].path == "quality", "{error}");
    let settings = types::VideoSettings::builder().quality(OpenEnum::other("best")).build().unwrap();
    assert_eq!(serde_json::to_value(settings).unwrap(), json!({ "quality": "best" }));
    assert!(types::UpdateVoiceName::try_from("x".repeat(65)).is_err());
    let open: OpenEnum<SessionMode> = "HOLOGRAM".parse().unwrap();
    assert_eq!((open.known(), open.to_string().as_str()), (None, "HOLOGRAM"));
}
