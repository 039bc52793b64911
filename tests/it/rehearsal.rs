//! Three changes of the API, one after the other, as a maintainer lives through them: today's document was made of an older
//! one by just these.

use std::fmt::Write as _;

use serde_json::{Value, json};
use xtask::failure::Outcome;
use xtask::regen::{self, Mode};
use xtask::{normalise, surface};

use super::document::Copy;

const SCHEMAS: &str = "/components/schemas";

/// Before the rename of February 2026 nothing had to keep the older name callable.
fn corrections_of_the_past(overlay: &mut Value) {
    overlay["actions"]
        .as_array_mut()
        .unwrap()
        .retain(|action| !action.to_string().contains("CustomSDKSessionTokenConfigData"));
}

/// Without the preview of voices.
fn without_preview(document: &mut Value) {
    document["paths"].as_object_mut().unwrap().remove("/v1/voices/{voice_id}/preview").unwrap();
    let schemas = document.pointer_mut(SCHEMAS).unwrap().as_object_mut().unwrap();
    for name in ["VoicePreviewResponseSchema", "Response_VoicePreviewResponseSchema_"] {
        schemas.remove(name).unwrap();
    }
}

/// With LITE called CUSTOM.
fn with_custom(document: &mut Value) {
    let text =
        document.to_string().replace("LiteSDKSession", "CustomSDKSession").replace("\"LITE\"", "\"CUSTOM\"");
    *document = serde_json::from_str(&text).unwrap();
}

/// With an avatar persona in every FULL session and no voice agents in them.
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
fn three_changes_lead_from_an_older_document_to_the_committed_one() {
    let copy = Copy::new();
    let committed = copy.all();
    let overlay = copy.text(regen::OVERLAY);
    let today = copy.read(regen::UPSTREAM);

    // Yesterday's workspace.
    let mut past_overlay = copy.read(regen::OVERLAY);
    corrections_of_the_past(&mut past_overlay);
    copy.write(regen::OVERLAY, &past_overlay.to_string());
    let undo: [fn(&mut Value); 3] = [without_preview, with_custom, with_persona_only];
    let document = |undone: &[fn(&mut Value)]| {
        let mut document = today.clone();
        for undo in undone {
            undo(&mut document);
        }
        normalise::normalise(document, "document").unwrap()
    };
    copy.write(regen::UPSTREAM, &document(&undo).to_string());
    assert_eq!(copy.run(None, Mode::Write).0, Outcome::Fresh);
    assert!(!copy.path(regen::CHANGES).exists(), "an older document is no change of the API");

    let mut log = String::new();
    let mut before = surface::generated(&copy.read(regen::LOWERED)).unwrap();
    let names = ["a new endpoint", "CUSTOM becomes LITE", "a persona is optional beside a voice agent"];
    for (index, name) in names.iter().enumerate() {
        let source = copy.source(&document(&undo[index + 1..]));
        let (outcome, said) = copy.run_on(Some(&source), Mode::Write, index);
        assert_eq!(outcome, Outcome::Fresh, "{said}");
        let after = surface::generated(&copy.read(regen::LOWERED)).unwrap();
        writeln!(log, "# {name}\n\n{said}").unwrap();
        writeln!(log, "surface: {}", difference(&before, &after)).unwrap();
        before = after;
        // The same document again is no change.
        let again = copy.text(regen::CHANGES);
        assert_eq!(copy.run_on(Some(&source), Mode::Check, index).0, Outcome::Fresh);
        assert_eq!(copy.text(regen::CHANGES), again);
    }

    // The maintainer keeps the older name callable: a correction, and no change of the API.
    copy.write(regen::OVERLAY, &overlay);
    let (outcome, said) = copy.run(None, Mode::Write);
    assert_eq!(outcome, Outcome::Fresh);
    let after = surface::generated(&copy.read(regen::LOWERED)).unwrap();
    writeln!(log, "# a correction keeps CUSTOM callable\n\n{said}").unwrap();
    writeln!(log, "surface: {}", difference(&before, &after)).unwrap();

    insta::assert_snapshot!("regen", log);
    insta::assert_snapshot!("changes", copy.text(regen::CHANGES));
    // What came of it all is what is committed, and so is the crate's reviewed surface.
    assert!(copy.all() == committed, "the rehearsal ends somewhere else than at the committed files");
}

fn difference(before: &[String], after: &[String]) -> String {
    let gone = before.iter().filter(|line| !after.contains(line)).count();
    let new = after.iter().filter(|line| !before.contains(line)).count();
    format!("{gone} line(s) gone, {new} new\n")
}

#[test]
fn a_document_that_loses_an_operation_is_written_only_on_request() {
    let copy = Copy::new();
    let before = copy.all();
    let source = copy.changed(without_preview);
    let (outcome, refused) = copy.run(Some(&source), Mode::Write);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(copy.all(), before);
    assert!(!copy.path(regen::CHANGES).exists());
    let (outcome, _) = copy.run(Some(&source), Mode::DryRun);
    assert_eq!(outcome, Outcome::Fresh);
    assert_eq!(copy.all(), before);
    let (outcome, written) = copy.run(Some(&source), Mode::WriteBreaking);
    assert_eq!(outcome, Outcome::Fresh);
    assert_ne!(copy.all(), before);
    insta::assert_snapshot!(format!("{refused}\n{written}\n{}", copy.text(regen::CHANGES)));
}

#[test]
fn the_log_keeps_what_is_written_in_it() {
    let copy = Copy::new();
    copy.write(
        regen::CHANGES,
        "# Changes\n\nA word of ours.\n\n## 2025-11-01: version 0.0.1\n\nThe first.\n",
    );
    let source = copy.changed(|document| {
        document["components"]["schemas"]["VoiceSchema"]["properties"]["accent"] =
            json!({ "type": "string" });
    });
    assert_eq!(copy.run(Some(&source), Mode::Write).0, Outcome::Fresh);
    insta::assert_snapshot!(copy.text(regen::CHANGES), @r"
    # Changes

    A word of ours.

    ## 2026-02-03: version 0.1.1

    1 info.

    ### Info

    - `VoiceSchema.accent`: is new (`response-property-added`)
      - used by GET /v1/voices, GET /v1/voices/{voice\_id}, PATCH /v1/voices/{voice\_id}
      - Rust: `types::Voice` gains `accent: Option<String>`

    ## 2025-11-01: version 0.0.1

    The first.
    ");
}
