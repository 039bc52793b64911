//! Three changes of the API in sequence, as a maintainer would follow them: they lead from an older document to the
//! frozen one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use xtask::documents;
use xtask::error::TaskStatus;
use xtask::normalise;
use xtask::regen::RegenMode;

use super::workspace_copy::WorkspaceCopy;

const SCHEMAS: &str = "/components/schemas";

/// Removes the overlay actions that keep the name from before February 2026 usable.
fn remove_newer_actions(overlay: &mut Value) {
    overlay["actions"]
        .as_array_mut()
        .unwrap()
        .retain(|action| !action.to_string().contains("CustomSDKSessionTokenConfigData"));
}

pub(super) fn without_voice_preview(document: &mut Value) {
    document["paths"].as_object_mut().unwrap().remove("/v1/voices/{voice_id}/preview").unwrap();
    let schemas = document.pointer_mut(SCHEMAS).unwrap().as_object_mut().unwrap();
    for name in ["VoicePreviewResponseSchema", "Response_VoicePreviewResponseSchema_"] {
        schemas.remove(name).unwrap();
    }
}

/// Renames LITE to CUSTOM.
fn with_custom(document: &mut Value) {
    let text =
        document.to_string().replace("LiteSDKSession", "CustomSDKSession").replace("\"LITE\"", "\"CUSTOM\"");
    *document = serde_json::from_str(&text).unwrap();
}

/// Requires an avatar persona in every FULL session, and removes the voice agent.
fn with_persona_only(document: &mut Value) {
    let schemas = document.pointer_mut(SCHEMAS).unwrap();
    let full = &mut schemas["FullSDKSessionTokenConfigDataSchema"];
    full["required"].as_array_mut().unwrap().push(json!("avatar_persona"));
    let properties = full["properties"].as_object_mut().unwrap();
    properties.remove("voice_agent").unwrap();
    properties.insert("avatar_persona".into(), json!({ "$ref": "#/components/schemas/AvatarPersonaSchema" }));
    schemas.as_object_mut().unwrap().remove("VoiceAgentRef").unwrap();
}

#[test]
fn three_changes_lead_from_an_older_document_to_the_frozen_one() {
    let copy = WorkspaceCopy::new();
    let frozen = copy.texts();
    let overlay = copy.text(documents::OVERLAY);
    let today = copy.read(documents::UPSTREAM);

    // The workspace before the changes.
    let mut past_overlay = copy.read(documents::OVERLAY);
    remove_newer_actions(&mut past_overlay);
    copy.write(documents::OVERLAY, &past_overlay.to_string());
    let undo: [fn(&mut Value); 3] = [without_voice_preview, with_custom, with_persona_only];
    let document = |undone: &[fn(&mut Value)]| {
        let mut document = today.clone();
        for undo in undone {
            undo(&mut document);
        }
        normalise::normalise(document, "document").unwrap()
    };
    copy.write(documents::UPSTREAM, &document(&undo).to_string());
    assert_eq!(copy.run(None, RegenMode::Write).0, TaskStatus::Success);
    assert!(!copy.path(documents::CHANGES).exists(), "the document did not change");

    let mut log = String::new();
    let mut before = copy.items();
    let names = ["a new endpoint", "CUSTOM becomes LITE", "a persona is optional next to a voice agent"];
    for (day, (name, undone)) in (0..).zip(names.iter().zip(1..)) {
        let source = copy.source(&document(&undo[undone..]));
        let (status, output) = copy.run_on(Some(&source), RegenMode::Write, day);
        assert_eq!(status, TaskStatus::Success, "{output}");
        let after = copy.items();
        writeln!(log, "# {name}\n\n{output}").unwrap();
        writeln!(log, "public items: {}", difference(&before, &after)).unwrap();
        before = after;
        // The same document again is not a change.
        let log_of_changes = copy.text(documents::CHANGES);
        assert_eq!(copy.run_on(Some(&source), RegenMode::Check, day).0, TaskStatus::Success);
        assert_eq!(copy.text(documents::CHANGES), log_of_changes);
    }

    // The maintainer keeps the older name usable with an overlay action, which is not a change of the API.
    copy.write(documents::OVERLAY, &overlay);
    let (status, output) = copy.run(None, RegenMode::Write);
    assert_eq!(status, TaskStatus::Success);
    let after = copy.items();
    writeln!(log, "# an overlay action keeps CUSTOM usable\n\n{output}").unwrap();
    writeln!(log, "public items: {}", difference(&before, &after)).unwrap();

    insta::assert_snapshot!("regen", log);
    insta::assert_snapshot!("changes", copy.text(documents::CHANGES));
    assert!(copy.texts() == frozen, "the changes do not lead to the frozen files");
}

fn difference(before: &BTreeSet<String>, after: &BTreeSet<String>) -> String {
    let (removed, added) = (before.difference(after).count(), after.difference(before).count());
    format!("{removed} removed, {added} added\n")
}
