//! `openapi/` and what `cargo xtask regen` makes of it.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xtask::failure::Outcome;
use xtask::regen::{self, Mode, Options};
use xtask::source::Source;
use xtask::{lower, overlay};

const FILES: [&str; 5] = [regen::UPSTREAM, regen::OVERLAY, regen::LOWERED, regen::PACKAGED, regen::CORRECTED];

/// A workspace of only the files that the command reads and writes.
pub(super) struct Copy(tempfile::TempDir);

impl Copy {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in FILES {
            let to = folder.path().join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(regen::workspace().join(file), to).unwrap();
        }
        Self(folder)
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub(super) fn read(&self, file: &str) -> Value {
        serde_json::from_str(&self.text(file)).unwrap()
    }

    pub(super) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    pub(super) fn all(&self) -> Vec<String> {
        FILES.iter().map(|file| self.text(file)).collect()
    }

    /// A source beside the workspace: the committed one with a change.
    pub(super) fn changed(&self, change: impl FnOnce(&mut Value)) -> Source {
        let mut document = self.read(regen::UPSTREAM);
        change(&mut document);
        self.source(&document)
    }

    /// A source beside the workspace.
    pub(super) fn source(&self, document: &Value) -> Source {
        self.write("changed.json", &document.to_string());
        Source::File(self.path("changed.json"))
    }

    /// Runs the command and returns how it ended and what it said, with the folder's name taken out.
    pub(super) fn run(&self, source: Option<&Source>, mode: Mode) -> (Outcome, String) {
        self.run_on(source, mode, 0)
    }

    /// The same, some days later.
    pub(super) fn run_on(&self, source: Option<&Source>, mode: Mode, day: usize) -> (Outcome, String) {
        run_in(self.0.path(), source, mode, day)
    }
}

fn run_in(root: &Path, source: Option<&Source>, mode: Mode, day: usize) -> (Outcome, String) {
    let mut out = Vec::new();
    let today = chrono::NaiveDate::from_ymd_opt(2026, 2, 3).unwrap() + chrono::Days::new(day as u64);
    let options = Options { mode, verbose: false, today };
    let (outcome, failure) = match regen::run(root, source, &options, &mut out) {
        Ok(outcome) => (outcome, String::new()),
        Err(failure) => (Outcome::Failed, format!("     Failure {failure}\n")),
    };
    let said = String::from_utf8(out).unwrap() + &failure;
    (outcome, said.replace(&root.display().to_string(), "[root]"))
}

fn rename_field(document: &mut Value) {
    let properties = &mut document["components"]["schemas"]["AvatarSchema"]["properties"];
    let field = properties["is_expired"].take();
    properties.as_object_mut().unwrap().remove("is_expired");
    properties["has_expired"] = field;
}

#[test]
fn committed_files_follow_from_the_document() {
    let (outcome, said) = run_in(&regen::workspace(), None, Mode::Check, 0);
    assert_eq!(outcome, Outcome::Fresh, "\n{said}");
}

#[test]
fn regen_of_the_committed_document_changes_nothing() {
    let copy = Copy::new();
    let before = copy.all();
    let (outcome, said) = copy.run(None, Mode::Write);
    assert_eq!(outcome, Outcome::Fresh);
    assert_eq!(copy.all(), before);
    insta::assert_snapshot!(said, @"
      Reading openapi/upstream.json
    Corrected 12 overlay actions
      Lowered 37 steps, 950 places
        Fresh openapi/upstream.json
        Fresh openapi/liveavatar-v1.json
        Fresh liveavatar-api/openapi/liveavatar-v1.json
        Fresh liveavatar-api/openapi/service.json
    ");
}

#[test]
fn key_order_is_no_change() {
    fn reverse(value: &Value) -> String {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by(|a, b| b.0.cmp(a.0));
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{}:{}", json!(key), reverse(value))).collect();
                format!("{{{}}}", entries.join(","))
            }
            Value::Array(items) => format!("[{}]", items.iter().map(reverse).collect::<Vec<_>>().join(",")),
            other => other.to_string(),
        }
    }
    let copy = Copy::new();
    let path = copy.path("reversed.json");
    std::fs::write(&path, reverse(&copy.read(regen::UPSTREAM))).unwrap();
    let (outcome, said) = copy.run(Some(&Source::File(path)), Mode::Check);
    assert_eq!(outcome, Outcome::Fresh, "\n{said}");
}

#[test]
fn check_says_what_is_stale_and_writes_nothing() {
    let copy = Copy::new();
    let before = copy.all();
    let source = copy.changed(rename_field);
    let (outcome, said) = copy.run(Some(&source), Mode::Check);
    assert_eq!((outcome, outcome.exit_code()), (Outcome::Stale, 4));
    assert_eq!(copy.all(), before);
    insta::assert_snapshot!(said, @"
      Reading [root]/changed.json
    Corrected 12 overlay actions
      Lowered 37 steps, 950 places
    Comparing openapi/upstream.json with [root]/changed.json
     Breaking `AvatarSchema.is_expired`: is gone; `has_expired` is new and just like it
              response-property-removed at /components/schemas/AvatarSchema/properties/is_expired
              used by GET /v1/avatars, GET /v1/avatars/public, GET /v1/avatars/{avatar_id}, PATCH /v1/avatars/{avatar_id} and 1 more
              rust: `types::Avatar` loses `is_expired`
         Info `AvatarSchema.has_expired`: is new
              response-property-added at /components/schemas/AvatarSchema/properties/has_expired
              used by GET /v1/avatars, GET /v1/avatars/public, GET /v1/avatars/{avatar_id}, PATCH /v1/avatars/{avatar_id} and 1 more
              rust: `types::Avatar` gains `has_expired: Option<bool>`
      Summary 1 breaking, 1 info
      Version 0.1.0 -> 0.2.0 proposed
        Stale openapi/upstream.json: 4 line(s) added, 4 removed
        Stale openapi/liveavatar-v1.json: 4 line(s) added, 4 removed
        Stale liveavatar-api/openapi/liveavatar-v1.json: 4 line(s) added, 4 removed
        Stale liveavatar-api/openapi/service.json: 4 line(s) added, 4 removed
        Stale openapi/CHANGES.md: 19 line(s) added, 0 removed
          fix: cargo xtask regen --from [root]/changed.json
    ");
}

#[test]
fn dry_run_shows_the_difference_and_writes_nothing() {
    let copy = Copy::new();
    let before = copy.all();
    let source = copy.changed(rename_field);
    let (outcome, said) = copy.run(Some(&source), Mode::DryRun);
    assert_eq!(outcome, Outcome::Fresh);
    assert_eq!(copy.all(), before);
    insta::assert_snapshot!(said);
}

#[test]
fn a_renamed_field_is_named_by_the_public_surface() {
    let copy = Copy::new();
    let source = copy.changed(rename_field);
    let before = xtask::surface::generated(&copy.read(regen::LOWERED)).unwrap();
    assert_eq!(copy.run(Some(&source), Mode::Write).0, Outcome::Fresh);
    let after = xtask::surface::generated(&copy.read(regen::LOWERED)).unwrap();
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    insta::assert_snapshot!(gone.chain(new).collect::<Vec<_>>().join("\n"), @"
    - fn raw::types::builder::Avatar::is_expired<T>(self, value: T) -> Self where T: TryInto<Option<bool>>
    - raw::types::Avatar.is_expired: Option<bool>
    + fn raw::types::builder::Avatar::has_expired<T>(self, value: T) -> Self where T: TryInto<Option<bool>>
    + raw::types::Avatar.has_expired: Option<bool>
    ");
    assert_eq!(copy.text(regen::LOWERED), copy.text(regen::PACKAGED));
}

#[test]
fn what_cannot_be_used_is_one_error_and_nothing_is_written() {
    let copy = Copy::new();
    let before = copy.all();
    let file = |name: &str, text: &str| {
        let path = copy.path(name);
        std::fs::write(&path, text).unwrap();
        Source::File(path)
    };
    let cases = [
        ("no such file", Source::File(copy.path("absent.json"))),
        ("no JSON", file("text.json", "openapi: 3.1.0")),
        ("other JSON", file("other.json", r#"{"swagger": "2.0"}"#)),
        ("an older version", file("old.json", r#"{"openapi": "3.0.3", "paths": {}}"#)),
        (
            "no operations",
            file("empty.json", r#"{"openapi": "3.1.0", "paths": {}, "components": {"schemas": {}}}"#),
        ),
        ("a broken address", Source::parse("http://")),
        ("an address where nobody listens", Source::parse("http://127.0.0.1:1/openapi.json")),
        (
            "two operations of one name",
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
        let (outcome, said) = copy.run(Some(source), Mode::Write);
        assert_eq!((outcome, outcome.exit_code()), (Outcome::Failed, 100), "{name}");
        writeln!(report, "# {name}\n{said}").unwrap();
    }
    assert_eq!(copy.all(), before);
    insta::assert_snapshot!(report);
}

#[test]
fn an_overlay_action_that_no_longer_applies_is_an_error_with_its_reason() {
    let copy = Copy::new();
    let source = copy.changed(|document| {
        document["components"]["schemas"]["StartSessionResponseSchema"]["required"] = json!(["session_id"]);
    });
    let (outcome, said) = copy.run(Some(&source), Mode::Write);
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!(said, @"
    Reading [root]/changed.json
    Failure openapi/overlay.json: action 7 matches nothing
     target: $.components.schemas.StartSessionResponseSchema.required[?@=='livekit_url' || @=='livekit_client_token']
     reason: Sources disagree on whether start returns them for a session in the caller's own room. If the response cannot be decoded, the session runs but the caller does not know its id.
        fix: drop the action if the service's document now says it itself, else correct its target
    ");
}

#[test]
fn a_quirk_that_no_step_knows_is_an_error_before_anything_is_written() {
    let copy = Copy::new();
    let before = copy.all();
    let source = copy.changed(|document| {
        document["components"]["schemas"]["VoiceSchema"]["properties"]["name"] =
            json!({ "type": ["string", "integer"] });
    });
    let (outcome, said) = copy.run(Some(&source), Mode::Write);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(copy.all(), before);
    insta::assert_snapshot!(said, @"
      Reading [root]/changed.json
    Corrected 12 overlay actions
      Lowered 37 steps, 950 places
      Failure progenitor refuses the lowered document: invalid type: sequence, expected a string
          fix: add a lowering step for the new quirk to xtask/src/lower/mod.rs
    ");
}

#[test]
fn every_lowering_step_changes_its_quirk_and_only_once() {
    let text = std::fs::read_to_string(regen::workspace().join(regen::CORRECTED)).unwrap();
    let mut document = lower::Document(serde_json::from_str(&text).unwrap());
    for step in lower::STEPS {
        let before = document.0.clone();
        let applied = step.apply(&mut document).unwrap();
        assert!(document.0 != before, "{} changes nothing", step.name);
        assert!(!applied.is_empty(), "{} changes the document and does not say where", step.name);
        // What a step cured is not there a second time.
        let cured = document.0.clone();
        step.apply(&mut document).unwrap();
        assert!(document.0 == cured, "{} changes what it has cured", step.name);
        let stale = step.stale().to_string();
        assert!(stale.contains(step.name) && stale.contains(step.why), "{stale}");
    }
}

#[test]
fn every_lowering_step_is_named_once_and_says_why() {
    let mut names: Vec<_> = lower::STEPS.iter().map(|step| step.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), lower::STEPS.len());
    let list: Vec<_> = lower::STEPS.iter().map(|step| format!("{}: {}", step.name, step.why)).collect();
    insta::assert_snapshot!(list.join("\n"));
}

#[test]
fn an_overlay_is_merged_as_its_specification_says() {
    let mut document = json!({ "a": { "list": [1], "text": "x", "more": {} }, "b": { "list": [1, 2, 3] } });
    let actions = json!({ "overlay": "1.0.0", "actions": [
        { "target": "$.a", "description": "objects merge, texts are replaced", "update": { "text": "y", "more": { "n": 1 } } },
        { "target": "$.a.list", "description": "arrays take an array at their end", "update": [2] },
        { "target": "$.b.list[?@ != 2]", "description": "entries go from the end", "remove": true },
    ] });
    assert!(overlay::apply(&mut document, &actions).unwrap().stale.is_empty());
    assert_eq!(
        document,
        json!({ "a": { "list": [1, 2], "text": "y", "more": { "n": 1 } }, "b": { "list": [2] } })
    );
}

#[test]
fn an_overlay_action_needs_a_target_a_reason_and_an_effect() {
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
            Err(failure) => failure.to_string(),
        })
        .collect();
    insta::assert_snapshot!(report.join("\n\n"));
}

#[test]
fn a_document_is_read_from_an_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/openapi.json", listener.local_addr().unwrap());
    let body = std::fs::read_to_string(regen::workspace().join(regen::UPSTREAM)).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).unwrap();
    });
    let copy = Copy::new();
    let (outcome, said) = copy.run(Some(&Source::parse(&url)), Mode::Check);
    server.join().unwrap();
    assert_eq!(outcome, Outcome::Fresh, "\n{said}");
}

#[test]
fn the_lowered_document_holds_every_operation_of_the_corrected_one() {
    let read = |file: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(regen::workspace().join(file)).unwrap()).unwrap()
    };
    let operations = |document: &Value| -> Vec<String> {
        let paths = document["paths"].as_object().unwrap();
        let listed = paths.iter().flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        });
        let apart = document["x-handwritten"].as_object().into_iter().flatten();
        let apart = apart.map(|(_, operation)| {
            format!("{} {}", operation["x-method"].as_str().unwrap(), operation["x-path"].as_str().unwrap())
        });
        let mut all: Vec<_> = listed.chain(apart).collect();
        all.sort();
        all
    };
    let corrected = operations(&read(regen::CORRECTED));
    assert_eq!(corrected, operations(&read(regen::LOWERED)));
    assert_eq!(corrected.len(), liveavatar_api::raw::OPERATIONS.len());
    assert_eq!(corrected.len(), 44);
}
