//! The overlay: our corrections of the service's document.

use serde_json::json;
use xtask::documents;
use xtask::error::TaskStatus;
use xtask::overlay;
use xtask::regen::RegenMode;

use super::workspace_copy::WorkspaceCopy;

#[test]
fn an_action_that_no_longer_applies_is_an_error_with_its_reason() {
    let copy = WorkspaceCopy::new();
    let source = copy.changed(|document| {
        document["components"]["schemas"]["StartSessionResponseSchema"]["required"] = json!(["session_id"]);
    });
    let (status, output) = copy.run(Some(&source), RegenMode::Write);
    assert_eq!(status, TaskStatus::Failed);
    insta::assert_snapshot!(output, @"
         Reading [root]/changed.json
    error: openapi/overlay.json: action 7 matches nothing
      target: $.components.schemas.StartSessionResponseSchema.required[?@=='livekit_url' || @=='livekit_client_token']
      reason: Sources disagree on whether start returns them for a session in the caller's own room. If the response cannot be decoded, the session runs but the caller does not know its id.
      fix: remove the action from openapi/overlay.json if the service's document is right now, or correct its target
          Failed `cargo xtask regen` with 1 error
    ");
}

#[test]
fn the_service_does_not_decide_how_the_client_behaves() {
    let copy = WorkspaceCopy::new();
    let source = copy.changed(|document| {
        document["paths"]["/v1/sessions/start"]["post"]["x-repeatable"] = json!(true);
        document["components"]["schemas"]["VoiceSchema"]["properties"]["name"]["x-rust-type"] =
            json!("std::fs::File");
    });
    let (status, output) = copy.run(Some(&source), RegenMode::Write);
    assert_eq!(status, TaskStatus::Failed);
    insta::assert_snapshot!(output);
}

#[test]
fn a_start_or_a_creation_is_never_repeatable() {
    let copy = WorkspaceCopy::new();
    let mut overlay = copy.read(documents::OVERLAY);
    let action = json!({
        "target": "$.paths.*.post", "description": "every call is retried", "update": { "x-repeatable": true },
    });
    overlay["actions"].as_array_mut().unwrap().push(action);
    copy.write(documents::OVERLAY, &overlay.to_string());
    let (status, output) = copy.run(None, RegenMode::Write);
    assert_eq!(status, TaskStatus::Failed);
    insta::assert_snapshot!(output);
}

#[test]
fn updates_and_removals_follow_the_specification() {
    let mut document = json!({ "a": { "list": [1], "text": "x", "more": {} }, "b": { "list": [1, 2, 3] } });
    let actions = json!({ "overlay": "1.0.0", "actions": [
        { "target": "$.a", "description": "objects merge, strings are replaced", "update": { "text": "y", "more": { "n": 1 } } },
        { "target": "$.a.list", "description": "arrays are appended", "update": [2] },
        { "target": "$.b.list[?@ != 2]", "description": "items are removed from the end", "remove": true },
    ] });
    assert!(overlay::apply(&mut document, &actions).unwrap().stale.is_empty());
    assert_eq!(
        document,
        json!({ "a": { "list": [1, 2], "text": "y", "more": { "n": 1 } }, "b": { "list": [2] } })
    );
}

#[test]
fn an_action_needs_a_target_a_reason_and_an_effect() {
    let cases = [
        json!({ "actions": [] }),
        json!({ "overlay": "1.0.0" }),
        json!({ "overlay": "1.0.0", "actions": [{ "description": "why", "remove": true }] }),
        json!({ "overlay": "1.0.0", "actions": [{ "target": "$.a", "remove": true }] }),
        json!({ "overlay": "1.0.0", "actions": [{ "target": "a", "description": "why", "remove": true }] }),
        json!({ "overlay": "1.0.0", "actions": [{ "target": "$.a", "description": "why" }] }),
        json!({ "overlay": "1.0.0", "actions": [{ "target": "$.z", "description": "why", "remove": true }] }),
        json!({ "overlay": "1.0.0", "actions": [{ "target": "$.a", "description": "why", "update": { "b": 1 } }] }),
    ];
    let report: Vec<String> = cases
        .iter()
        .map(|case| match overlay::apply(&mut json!({ "a": { "b": 1 } }), case) {
            Ok(applied) => applied.stale.first().unwrap().to_string(),
            Err(error) => error.to_string(),
        })
        .collect();
    insta::assert_snapshot!(report.join("\n\n"));
}
