//! Answers of tomorrow decode today: unknown values, unknown fields, null and missing parts.

use std::collections::BTreeSet;

use liveavatar_api::raw::OPERATIONS;
use liveavatar_api::types::{self, SessionMode};
use liveavatar_api::{Client, Credential, CredentialKind, Credits, OpenEnum, Timestamp};
use liveavatar_mock::{MockResponse, Server, example_requests, example_response, operations};
use liveavatar_tests::call;
use serde_json::{Value, json};
use xtask::regen;

/// Every place in a value that `pick` points out, as a changed copy of the whole value and the place's pointer.
fn variants(value: &Value, pick: &dyn Fn(&Value) -> Option<Value>) -> Vec<(String, Value)> {
    fn walk(
        root: &Value,
        at: &str,
        pick: &dyn Fn(&Value) -> Option<Value>,
        found: &mut Vec<(String, Value)>,
    ) {
        let here = root.pointer(at).unwrap();
        if let Some(new) = pick(here) {
            let mut copy = root.clone();
            *copy.pointer_mut(at).unwrap() = new;
            found.push((at.to_owned(), copy));
        }
        match here {
            Value::Object(map) => {
                map.keys().for_each(|key| walk(root, &format!("{at}/{key}"), pick, found));
            }
            Value::Array(items) => {
                (0..items.len()).for_each(|index| walk(root, &format!("{at}/{index}"), pick, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", pick, &mut found);
    found
}

/// Calls the operation with a changed answer in place of the example's.
async fn decode(
    server: &Server,
    id: &str,
    answer: Value,
) -> Result<liveavatar_tests::Decoded, liveavatar_api::Error> {
    let operation = OPERATIONS.iter().find(|operation| operation.id == id).unwrap();
    let credential = if operation.credentials == [CredentialKind::SessionToken] {
        Credential::session_token("t")
    } else {
        Credential::api_key(server.api_key())
    };
    let client = Client::builder().base_url(server.url()).credential(credential.unwrap()).build().unwrap();
    server.mock_response(
        id,
        MockResponse::json(operations().find(|known| known.name == id).unwrap().success, answer),
    );
    call(&client, id, &example_requests(id)[0]).await
}

/// The document that the answers follow.
fn corrected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(regen::workspace().join(regen::CORRECTED)).unwrap())
        .unwrap()
}

/// Names of the enum values that answers may hold.
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
async fn an_unknown_enum_value_is_kept_in_every_answer() {
    let server = Server::start().await.unwrap();
    let known = enum_values();
    let mut changed = 0;
    for operation in OPERATIONS {
        let Some(answer) = example_response(operation.id) else { continue };
        let pick = |value: &Value| {
            let text = value.as_str()?;
            known.iter().any(|known| known == text).then(|| json!("BRAND_NEW"))
        };
        for (place, variant) in variants(&answer, &pick) {
            let decoded = decode(&server, operation.id, variant.clone()).await;
            let decoded = decoded.unwrap_or_else(|error| panic!("{} {place}: {error}", operation.id));
            assert_eq!(decoded.json, variant["data"], "{} {place}", operation.id);
            changed += 1;
        }
    }
    assert!(changed > 20, "only {changed} enum values found");
}

#[tokio::test]
async fn an_unknown_field_is_no_error_in_any_answer() {
    let server = Server::start().await.unwrap();
    for operation in OPERATIONS {
        let Some(answer) = example_response(operation.id) else { continue };
        let pick = |value: &Value| {
            let mut map = value.as_object().filter(|map| !map.is_empty())?.clone();
            map.insert("brand_new".to_owned(), json!({ "deep": [1] }));
            Some(Value::Object(map))
        };
        // A map of lists takes any key, but not any value.
        for (place, variant) in
            variants(&answer, &pick).into_iter().filter(|_| operation.id != "list_llm_models")
        {
            let decoded = decode(&server, operation.id, variant).await;
            assert!(decoded.is_ok(), "{} {place}: {:?}", operation.id, decoded.err());
        }
    }
}

/// The places of an answer that the document does not require, or where it allows null.
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
async fn an_answer_without_its_optional_parts_decodes() {
    let server = Server::start().await.unwrap();
    let document = corrected();
    let mut tried = 0;
    for operation in OPERATIONS {
        let Some(answer) = example_response(operation.id) else { continue };
        let responses = &document["paths"][operation.path][operation.method.to_lowercase()]["responses"];
        let success =
            responses.as_object().unwrap().iter().find(|(status, _)| status.starts_with('2')).unwrap().1;
        let mut places = BTreeSet::new();
        optional_parts(
            &document,
            &success["content"]["application/json"]["schema"],
            &answer,
            "",
            &mut places,
        );
        // Whether an operation answers data at all is judged when the envelope is opened.
        places.remove("/data");
        for place in places {
            let (parent, name) = place.rsplit_once('/').unwrap();
            let mut missing = answer.clone();
            missing.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            let mut null = answer.clone();
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

#[test]
fn times_are_read_with_and_without_a_zone() {
    let read = |text: &str| serde_json::from_value::<Timestamp>(json!(text)).unwrap();
    let noon = read("2026-01-01T12:00:00Z");
    assert_eq!(noon.utc().unwrap().timestamp(), 1_767_268_800);
    assert_eq!(read("2026-01-01T12:00:00"), noon);
    assert_eq!(read("2026-01-01T14:00:00+02:00"), noon);
    assert_eq!(read("2026-01-01T12:00:00.250000").to_string(), "2026-01-01T12:00:00.250Z");
    assert_eq!(serde_json::to_value(read("soon")).unwrap(), json!("soon"));
}

#[test]
fn credits_are_exact_in_both_forms() {
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
fn requests_stay_strict() {
    assert!("HOLOGRAM".parse::<types::VideoQuality>().is_err());
    assert!(serde_json::from_value::<types::VideoSettings>(json!({ "quality": "best" })).is_err());
    assert!(types::UpdateVoiceName::try_from("x".repeat(65)).is_err());
    let open: OpenEnum<SessionMode> = "HOLOGRAM".parse().unwrap();
    assert_eq!((open.known(), open.to_string().as_str()), (None, "HOLOGRAM"));
}
