//! `cargo xtask regen` and the files that it derives from the document.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use serde_json::{Value, json};
use xtask::documents;
use xtask::error::TaskStatus;
use xtask::regen::RegenMode;
use xtask::source::DocumentSource;

use super::history::without_voice_preview;
use super::reversed;
use super::workspace_copy::{WorkspaceCopy, run_in};

pub(super) fn rename_field(document: &mut Value) {
    let properties = &mut document["components"]["schemas"]["AvatarSchema"]["properties"];
    let field = properties["is_expired"].take();
    properties.as_object_mut().unwrap().remove("is_expired");
    properties["has_expired"] = field;
}

#[test]
fn the_committed_files_are_fresh() {
    let (status, output) = run_in(&documents::root(), None, RegenMode::Check, 0);
    assert_eq!(status, TaskStatus::Success, "\n{output}");
}

#[test]
fn the_committed_document_changes_nothing() {
    let copy = WorkspaceCopy::new();
    let before = copy.texts();
    let (status, output) = copy.run(None, RegenMode::Write);
    assert_eq!(status, TaskStatus::Success);
    assert_eq!(copy.texts(), before);
    insta::assert_snapshot!(output, @"
      Reading openapi/upstream.json
    Corrected 12 overlay actions
      Lowered 37 steps, 951 places
        Fresh openapi/upstream.json
        Fresh openapi/liveavatar-v1.json
        Fresh liveavatar-api/openapi/liveavatar-v1.json
        Fresh liveavatar-api/openapi/service.json
        Fresh liveavatar-api/generated/client.rs
        Fresh liveavatar-api/generated/operations.md
        Fresh liveavatar-api/generated/operations.rs
        Fresh liveavatar-api/generated/request_readers.rs
        Fresh liveavatar-api/generated/requests.json
        Fresh liveavatar-api/generated/session.json
     Finished 10 files: 10 fresh, 0 stale; nothing to do
    ");
}

#[test]
fn the_order_of_keys_is_not_a_change() {
    let copy = WorkspaceCopy::new();
    let path = copy.path("reversed.json");
    std::fs::write(&path, reversed(&copy.read(documents::UPSTREAM)).to_string()).unwrap();
    let (status, output) = copy.run(Some(&DocumentSource::File(path)), RegenMode::Check);
    assert_eq!(status, TaskStatus::Success, "\n{output}");
}

#[test]
fn check_names_stale_files_and_writes_nothing() {
    let copy = WorkspaceCopy::new();
    let before = copy.texts();
    let source = copy.changed(rename_field);
    let (status, output) = copy.run(Some(&source), RegenMode::Check);
    assert_eq!((status, status.exit_code()), (TaskStatus::Stale, 4));
    assert_eq!(copy.texts(), before);
    insta::assert_snapshot!(output, @"
      Reading [root]/changed.json
    Corrected 12 overlay actions
      Lowered 37 steps, 951 places
    Comparing openapi/upstream.json with [root]/changed.json
     Breaking `AvatarSchema.is_expired`: was an optional boolean and no longer exists; `has_expired` is new and has the same schema
              why: code that reads it finds nothing
              response-property-removed at /components/schemas/AvatarSchema/properties/is_expired
              used by GET /v1/avatars, GET /v1/avatars/public, GET /v1/avatars/{avatar_id}, PATCH /v1/avatars/{avatar_id} and 1 more
              rust: `types::Avatar` loses `is_expired`
         Info `AvatarSchema.has_expired`: did not exist and is now an optional boolean
              why: unknown fields in responses are ignored
              response-property-added at /components/schemas/AvatarSchema/properties/has_expired
              used by GET /v1/avatars, GET /v1/avatars/public, GET /v1/avatars/{avatar_id}, PATCH /v1/avatars/{avatar_id} and 1 more
              rust: `types::Avatar` gains `has_expired: Option<bool>`
     Compared 1 breaking, 1 info
      Version 0.1.0 -> 0.2.0 proposed
        Stale openapi/upstream.json: 4 lines added, 4 removed
        Stale openapi/liveavatar-v1.json: 4 lines added, 4 removed
        Stale liveavatar-api/openapi/liveavatar-v1.json: 4 lines added, 4 removed
        Stale liveavatar-api/openapi/service.json: 4 lines added, 4 removed
        Stale liveavatar-api/generated/client.rs: 2 lines added, 2 removed
        Fresh liveavatar-api/generated/operations.md
        Fresh liveavatar-api/generated/operations.rs
        Fresh liveavatar-api/generated/request_readers.rs
        Fresh liveavatar-api/generated/requests.json
        Fresh liveavatar-api/generated/session.json
        Stale openapi/CHANGES.md: 21 lines added, 0 removed
     Finished 11 files: 5 fresh, 6 stale; run `cargo xtask regen --from [root]/changed.json`
    ");
}

#[test]
fn dry_run_shows_the_difference_and_writes_nothing() {
    let copy = WorkspaceCopy::new();
    let before = copy.texts();
    let source = copy.changed(rename_field);
    let (status, output) = copy.run(Some(&source), RegenMode::DryRun);
    assert_eq!(status, TaskStatus::Success);
    assert_eq!(copy.texts(), before);
    insta::assert_snapshot!(output);
}

#[test]
fn a_renamed_field_shows_in_the_public_items() {
    let copy = WorkspaceCopy::new();
    let source = copy.changed(rename_field);
    let before = copy.items();
    assert_eq!(copy.run(Some(&source), RegenMode::Write).0, TaskStatus::Success);
    let after = copy.items();
    let removed = before.difference(&after).map(|line| format!("- {line}"));
    let added = after.difference(&before).map(|line| format!("+ {line}"));
    insta::assert_snapshot!(removed.chain(added).collect::<Vec<_>>().join("\n"), @r#"
    - Field("Avatar", "is_expired"): Option<bool>
    + Field("Avatar", "has_expired"): Option<bool>
    "#);
    assert_eq!(copy.text(documents::LOWERED), copy.text(documents::PACKAGED));
}

#[test]
fn an_unusable_document_is_an_error_and_nothing_is_written() {
    let copy = WorkspaceCopy::new();
    let before = copy.texts();
    let file = |name: &str, text: &str| {
        let path = copy.path(name);
        std::fs::write(&path, text).unwrap();
        DocumentSource::File(path)
    };
    let cases = [
        ("no such file", DocumentSource::File(copy.path("absent.json"))),
        ("not JSON", file("text.json", "openapi: 3.1.0")),
        ("other JSON", file("other.json", r#"{"swagger": "2.0"}"#)),
        ("an older version", file("old.json", r#"{"openapi": "2.0.0", "paths": {}}"#)),
        (
            "no operations",
            file("empty.json", r#"{"openapi": "3.1.0", "paths": {}, "components": {"schemas": {}}}"#),
        ),
        ("an invalid URL", DocumentSource::from("http://")),
        ("a URL without a server", DocumentSource::from("http://127.0.0.1:1/openapi.json")),
        (
            "two operations with the same name",
            copy.changed(|document| {
                let get = document["paths"]["/v1/languages"]["get"].clone();
                document["paths"]["/v1/tongues"] = json!({ "get": get });
                document["paths"]["/v1/tongues"]["get"]["operationId"] =
                    json!("get_languages_v1_tongues_get");
            }),
        ),
    ];
    let mut report = String::new();
    for (name, source) in &cases {
        let (status, output) = copy.run(Some(source), RegenMode::Write);
        assert_eq!((status, status.exit_code()), (TaskStatus::Failed, 100), "{name}");
        writeln!(report, "# {name}\n{output}").unwrap();
    }
    assert_eq!(copy.texts(), before);
    insta::assert_snapshot!(report);
}

#[test]
fn a_quirk_without_a_step_is_an_error_and_nothing_is_written() {
    let copy = WorkspaceCopy::new();
    let before = copy.texts();
    let source = copy.changed(|document| {
        document["components"]["schemas"]["VoiceSchema"]["properties"]["name"] = json!({ "type": "strong" });
    });
    let (status, output) = copy.run(Some(&source), RegenMode::Write);
    assert_eq!(status, TaskStatus::Failed);
    assert_eq!(copy.texts(), before);
    insta::assert_snapshot!(output, @"
         Reading [root]/changed.json
       Corrected 12 overlay actions
         Lowered 37 steps, 951 places
       Comparing openapi/upstream.json with [root]/changed.json
        Breaking `VoiceSchema.name`: the type was string and is now strong
                 why: neither old values nor old code fit the new type
                 response-property-type-changed at /components/schemas/VoiceSchema/properties/name/type
                 used by GET /v1/voices, GET /v1/voices/{voice_id}, PATCH /v1/voices/{voice_id}
         Warning GET /v1/voices: its generated code could not be compared: no code can be generated for get /v1/voices because of /components/schemas/VoiceSchema/properties/name: not yet implemented: invalid type: strong
                 why: a person has to compare what callers use of it
                 code-not-compared at /paths/~1v1~1voices/get
         Warning GET /v1/voices/{voice_id}: its generated code could not be compared: no code can be generated for get /v1/voices/{voice_id} because of /components/schemas/VoiceSchema/properties/name: not yet implemented: invalid type: strong
                 why: a person has to compare what callers use of it
                 code-not-compared at /paths/~1v1~1voices~1{voice_id}/get
         Warning PATCH /v1/voices/{voice_id}: its generated code could not be compared: no code can be generated for patch /v1/voices/{voice_id} because of /components/schemas/VoiceSchema/properties/name: not yet implemented: invalid type: strong
                 why: a person has to compare what callers use of it
                 code-not-compared at /paths/~1v1~1voices~1{voice_id}/patch
        Compared 1 breaking, 3 warning
         Version 0.1.0 -> 0.2.0 proposed
    error: no code can be generated for get /v1/voices because of /components/schemas/VoiceSchema/properties/name: not yet implemented: invalid type: strong
      fix: add a lowering step for the new quirk to xtask/src/lower/mod.rs
    error: no code can be generated for get /v1/voices/{voice_id} because of /components/schemas/VoiceSchema/properties/name: not yet implemented: invalid type: strong
      fix: add a lowering step for the new quirk to xtask/src/lower/mod.rs
    error: no code can be generated for patch /v1/voices/{voice_id} because of /components/schemas/VoiceSchema/properties/name: not yet implemented: invalid type: strong
      fix: add a lowering step for the new quirk to xtask/src/lower/mod.rs
          Failed `cargo xtask regen` with 3 errors
    ");
}

#[test]
fn a_document_is_read_from_a_url() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/openapi.json", listener.local_addr().unwrap());
    let copy = WorkspaceCopy::new();
    let body = copy.text(documents::UPSTREAM);
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).unwrap();
    });
    let (status, output) = copy.run(Some(&DocumentSource::Url(url)), RegenMode::Check);
    server.join().unwrap();
    assert_eq!(status, TaskStatus::Success, "\n{output}");
}

#[test]
fn a_document_that_loses_an_operation_is_written_only_on_request() {
    let copy = WorkspaceCopy::new();
    let before = copy.texts();
    let source = copy.changed(without_voice_preview);
    let (status, rejected) = copy.run(Some(&source), RegenMode::Write);
    assert_eq!(status, TaskStatus::Failed);
    assert_eq!(copy.texts(), before);
    assert!(!copy.path(documents::CHANGES).exists());
    let (status, _) = copy.run(Some(&source), RegenMode::DryRun);
    assert_eq!(status, TaskStatus::Success);
    assert_eq!(copy.texts(), before);
    let (status, written) = copy.run(Some(&source), RegenMode::WriteBreaking);
    assert_eq!(status, TaskStatus::Success);
    assert_ne!(copy.texts(), before);
    insta::assert_snapshot!(format!("{rejected}\n{written}\n{}", copy.text(documents::CHANGES)));
}

#[test]
fn the_log_keeps_its_older_text() {
    let copy = WorkspaceCopy::new();
    copy.write(
        documents::CHANGES,
        "# Changes\n\nA hand-written introduction.\n\n## 2025-11-01: version 0.0.1\n\nThe first.\n",
    );
    let source = copy.changed(|document| {
        document["components"]["schemas"]["VoiceSchema"]["properties"]["accent"] =
            json!({ "type": "string" });
    });
    assert_eq!(copy.run(Some(&source), RegenMode::Write).0, TaskStatus::Success);
    insta::assert_snapshot!(copy.text(documents::CHANGES), @r"
    # Changes

    A hand-written introduction.

    ## 2026-02-03: version 0.1.1

    1 info.

    ### Info

    - `VoiceSchema.accent`: did not exist and is now an optional string (`response-property-added`)
      - Why: unknown fields in responses are ignored
      - Used by GET /v1/voices, GET /v1/voices/{voice\_id}, PATCH /v1/voices/{voice\_id}
      - Rust: `types::Voice` gains `accent: Option<String>`

    ## 2025-11-01: version 0.0.1

    The first.
    ");
}
