//! `cargo xtask regen --try`, with git and Cargo replaced: what they find, and what becomes of it.

use std::process::Command;

use serde_json::{Value, json};
use xtask::documents;
use xtask::error::TaskStatus;
use xtask::regen::{RegenMode, RegenOptions};
use xtask::rehearsal;
use xtask::source::DocumentSource;

use super::regen::rename_field;
use super::with_shell;
use super::workspace_copy::WorkspaceCopy;

/// A snapshot of the workspace, which the document changes.
const SNAPSHOT: &str = "xtask/tests/snapshots/surface.snap";

/// What Cargo finds in the copy.
#[derive(Default)]
struct Found {
    compiler_messages: Vec<Value>,
    tests: &'static str,
    /// What the tests write to the snapshot.
    snapshot: Option<&'static str>,
}

struct Rehearsal {
    workspace: WorkspaceCopy,
    /// The copy that the command makes.
    copy: tempfile::TempDir,
}

impl Rehearsal {
    fn new() -> Self {
        let workspace = WorkspaceCopy::new();
        workspace.write(SNAPSHOT, "struct Avatar\n");
        Self { workspace, copy: tempfile::tempdir().unwrap() }
    }

    /// Runs the command, and returns its status, its output, and the commands that it ran in the copy.
    fn run(&self, source: &DocumentSource, found: &Found) -> (TaskStatus, String, Vec<String>) {
        let today = chrono::NaiveDate::from_ymd_opt(2026, 2, 3).unwrap();
        let options = RegenOptions { mode: RegenMode::Write, verbose: false, today };
        let mut commands = Vec::new();
        let mut programs = |command: &mut Command| {
            let mut words = vec![command.get_program().to_str().unwrap()];
            words.extend(command.get_args().map(|word| word.to_str().unwrap()));
            if words[0] == "git" {
                assert_eq!(command.get_current_dir(), Some(self.workspace.path("").as_path()));
                let files =
                    self.workspace.texts().into_keys().chain([SNAPSHOT.to_owned(), "deleted.rs".to_owned()]);
                return Ok((true, files.map(|file| file + "\0").collect()));
            }
            assert_eq!(command.get_current_dir(), Some(self.copy.path()));
            commands.push(words.join(" "));
            if words[1] == "build" {
                let lines = found
                    .compiler_messages
                    .iter()
                    .map(|message| format!("{}\n", json!({ "message": message })));
                return Ok((found.compiler_messages.is_empty(), lines.collect()));
            }
            if let Some(text) = found.snapshot {
                std::fs::write(self.copy.path().join(SNAPSHOT), text).unwrap();
            }
            Ok((!found.tests.contains("FAILED"), found.tests.to_owned()))
        };
        let root = self.workspace.path("");
        let (status, output) = with_shell(|shell| {
            let result =
                rehearsal::run_in(self.copy.path(), &root, Some(source), &options, &mut programs, shell);
            result.unwrap_or_else(|error| {
                shell.command_failed("regen", &error).unwrap();
                TaskStatus::Failed
            })
        });
        let output = output.replace(&self.copy.path().display().to_string(), "[copy]");
        (status, output.replace(&root.display().to_string(), "[root]/"), commands)
    }
}

#[test]
fn a_rehearsal_reports_what_breaks_and_writes_nothing_to_the_workspace() {
    let rehearsal = Rehearsal::new();
    let before = rehearsal.workspace.texts();
    let source = rehearsal.workspace.changed(rename_field);
    let error = |message: &str, spans: Value| json!({ "level": "error", "message": message, "spans": spans });
    let here = json!([{ "is_primary": true, "file_name": "liveavatar-api/src/client.rs", "line_start": 7 }]);
    let found = Found {
        compiler_messages: vec![
            error("no field `is_expired` on type `Avatar`", here.clone()),
            // The same error in the unit tests of the library.
            error("no field `is_expired` on type `Avatar`", here),
            error("aborting due to 1 previous error", json!([])),
            json!({ "level": "warning", "message": "unused", "spans": [] }),
        ],
        tests: "test the_items_are_the_reviewed_ones ... ok\n",
        snapshot: Some("struct Avatar\nhas_expired\n"),
    };
    let (status, output, commands) = rehearsal.run(&source, &found);
    assert_eq!((status, status.exit_code()), (TaskStatus::Different, 1));
    assert_eq!(rehearsal.workspace.texts(), before);
    assert!(!rehearsal.workspace.path(documents::CHANGES).exists());
    let written = std::fs::read_to_string(rehearsal.copy.path().join(documents::LOWERED)).unwrap();
    assert!(written.contains("has_expired"));
    insta::assert_snapshot!(format!("{output}\n{}", commands.join("\n")));
}

#[test]
fn a_rehearsal_of_code_that_compiles_runs_all_tests() {
    let rehearsal = Rehearsal::new();
    let source = rehearsal.workspace.changed(rename_field);
    let passing = Found { tests: "test session::starts ... ok\n", ..Found::default() };
    let failing = Found { tests: "test session::starts ... FAILED\ntest audio ... ok\n", ..Found::default() };
    let runs = [(passing, TaskStatus::Success), (failing, TaskStatus::Different)].map(|(found, expected)| {
        let (status, output, commands) = rehearsal.run(&source, &found);
        assert_eq!(status, expected);
        let summary = output.rsplit_once("proposed\n").unwrap().1;
        format!("{}\n{summary}", commands.last().unwrap())
    });
    insta::assert_snapshot!(runs.join("\n"), @"
    cargo test --locked --no-fail-fast --workspace
        Finished 0 snapshots to review, 0 compile errors, 0 failed tests; run `cargo xtask regen --from [root]/changed.json` to adopt the document

    cargo test --locked --no-fail-fast --workspace
          Failed test session::starts
        Finished 0 snapshots to review, 0 compile errors, 1 failed test; run `cargo xtask regen --from [root]/changed.json` to adopt the document, then correct the code
    ");
}

#[test]
fn a_second_rehearsal_touches_only_what_differs() {
    let rehearsal = Rehearsal::new();
    let source = rehearsal.workspace.changed(rename_field);
    rehearsal.run(&source, &Found::default());
    let copied = |file: &str| rehearsal.copy.path().join(file);
    let modified = |file: &str| std::fs::metadata(copied(file)).unwrap().modified().unwrap();
    let before = modified(SNAPSHOT);
    std::fs::write(copied("left-over.rs"), "").unwrap();
    rehearsal.run(&source, &Found::default());
    assert_eq!(modified(SNAPSHOT), before);
    assert!(!copied("left-over.rs").exists());
}

/// An overlay action no longer has an effect.
fn without_default_mode(document: &mut Value) {
    let mode = "/components/schemas/FullSDKSessionTokenConfigDataSchema/properties/mode";
    document.pointer_mut(mode).unwrap().as_object_mut().unwrap().remove("default").unwrap();
}

/// No code can be generated.
fn with_unknown_type(document: &mut Value) {
    document["components"]["schemas"]["VoiceSchema"]["properties"]["name"] = json!({ "type": "strong" });
}

#[test]
fn a_document_that_cannot_be_adopted_is_compared_but_not_compiled() {
    let rehearsal = Rehearsal::new();
    for change in [without_default_mode, with_unknown_type] {
        let source = rehearsal.workspace.changed(|document| {
            change(document);
            rename_field(document);
        });
        let (status, output, commands) = rehearsal.run(&source, &Found::default());
        assert_eq!((status, commands), (TaskStatus::Failed, Vec::new()), "{output}");
        assert!(output.contains("was an optional boolean and no longer exists"), "{output}");
        assert!(output.contains("\n  fix: "), "{output}");
    }
}
