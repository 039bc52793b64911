//! `session check`: every diagnostic with its position.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use liveavatar_api::session::RULES;
use serde_json::Value;

use super::{json_lines, program, run, run_command};
use crate::config::{ONLY_IN_CODE, all_texts};

#[tokio::test(flavor = "multi_thread")]
async fn every_diagnostic_of_a_file_is_shown_with_its_line() {
    let toml = "mode = \"LITE\"\navatar_id = \"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a\"\nissandbox = true\n\n[livekit_config]\nlivekit_url = \"wss://ü.example\"\nlivekit_agent_tokn = \"sk-1\"\n";
    let all = [
        run(None, &["session", "check", "broken.json"], "").await,
        run(None, &["session", "check", "lite-sandbox.json", "full-sandbox.json"], "").await,
        run(None, &["session", "check", "-"], toml).await,
        run(None, &["session", "check", "-", "--json"], toml).await,
        run(None, &["session", "check", "-"], "mode = \"LITE\nlivekit_client_token = sk-1\n").await,
        run(None, &["session", "check", "-"], "{\"mode\": \"LITE\", \"x\": \"sk-1\" \"y\"}").await,
    ];
    assert!(all[2..].iter().all(|shown| !shown.contains("sk-1")), "{all:?}");
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_secrets_are_masked() {
    let parsed = r#"{
  "mode": "LITE", "is_sandbox": true, "avatar_id": "Anna in a long sentence, with spaces", "nickname": "shown",
  "livekit_config": {"livekit_client_token": "canary-1", "livekit_clinet_tokn": "canary-2", "my_api_key": "canary-3"}
}"#;
    // A comma is missing after the first line, a quote in the second, and a value in the third.
    let unparsable = "{\n  \"mode\": \"LITE\"\n  \"is_sandbox\": ture, \"avatar_id\": \"shown id\", \"unheard_of\": \"canary-4\",\n  \
                      \"livekit_config\": {\"livekit_client_token\": \"canary-5\", \"livekit_url\": }\n}";
    let toml = "mode = \"LITE\"\nis_sandbox = True\navatar_id = 'shown id'\n[livekit_config]\nlivekit_client_token = \"canary-6\n\
                canary-7\"\nlivekit_agent_token = \"\"\"\ncanary-8: canary-9\n\"\"\"\n";
    let mut all = String::new();
    for text in [parsed, unparsable, toml] {
        for line in 0..text.lines().count() {
            // Every line is quoted at least once: the end of the text is cut off after it.
            let cut: String = text.split_inclusive('\n').take(line + 1).collect();
            all += &run(None, &["session", "check", "-"], &cut).await;
        }
    }
    assert!(!all.contains("canary"), "{all}");
    for shown in
        ["\"is_sandbox\": true", "\"nickname\": \"shown\"", "\"is_sandbox\": ture", "is_sandbox = True"]
    {
        assert!(all.contains(shown), "{shown} is masked: {all}");
    }
    insta::assert_snapshot!(all);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_is_reported_although_some_cannot_be_read() {
    let files = ["missing.json", "broken.json", "lite-sandbox.json", "missing.toml"];
    let arguments = [&["session", "check"], &files[..]].concat();
    let shown = run(None, &arguments, "").await;
    assert!(shown.contains("exit 2") && shown.contains("11 errors, 1 warning in 4 files"), "{shown}");
    for file in ["missing.json", "broken.json:", "missing.toml"] {
        assert!(shown.contains(file), "{shown}");
    }
    let json = &json_lines(&run(None, &[&arguments[..], &["--json"]].concat(), "").await)[0];
    let problems = json["error"]["problems"].as_array().unwrap();
    let unreadable = problems.iter().filter(|problem| problem["rule"] == "unreadable-file");
    let unreadable: Vec<_> = unreadable.map(|problem| problem["file"].as_str().unwrap()).collect();
    assert_eq!((problems.len(), unreadable), (12, vec!["missing.json", "missing.toml"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn diagnostics_are_wrapped_at_the_width_of_the_terminal() {
    let arguments = ["session", "check", "broken.json"];
    for (columns, width) in [("70", 70), ("80", 80), ("200", 200)] {
        let mut command = program(None, &arguments);
        command.env("COLUMNS", columns);
        let shown = run_command(None, command, &arguments, Vec::new()).await;
        let too_long: Vec<_> = shown.lines().filter(|line| line.chars().count() > width).collect();
        assert!(too_long.is_empty(), "{too_long:#?}");
        let title =
            "error[unknown-field]: issandbox: is not a field of FULL, and the service silently ignores it";
        assert_eq!(shown.contains(title), width == 200, "{shown}");
    }
}

/// Converts a JSON value to an inline TOML value; none if it contains a null, which TOML lacks.
fn inline_toml(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline_toml).collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::Object(map) => {
            let fields = map.iter().map(|(name, value)| {
                Some(format!("{} = {}", Value::from(name.as_str()), inline_toml(value)?))
            });
            format!("{{ {} }}", fields.collect::<Option<Vec<_>>>()?.join(", "))
        }
        // Strings, numbers and booleans look the same in JSON and TOML.
        other => other.to_string(),
    })
}

fn to_toml(json: &str) -> Option<String> {
    let Ok(Value::Object(map)) = serde_json::from_str(json) else { return None };
    let lines = map
        .iter()
        .map(|(name, value)| Some(format!("{} = {}\n", Value::from(name.as_str()), inline_toml(value)?)));
    lines.collect()
}

/// Writes every case as a JSON file and, where possible, as a TOML file. Returns the names of both and of the latter.
fn write_cases(folder: &Path) -> (Vec<String>, Vec<String>) {
    // Parsing this case would remove what it tests.
    const DUPLICATE_KEY: &str = "a-key-twice";
    let (mut all, mut with_toml) = (Vec::new(), Vec::new());
    for (name, text) in all_texts() {
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let json = serde_json::from_str::<Value>(&text).ok().filter(|_| name != DUPLICATE_KEY);
        let pretty = json.as_ref().map_or(text.clone(), |json| serde_json::to_string_pretty(json).unwrap());
        std::fs::write(folder.join(format!("{name}.json")), pretty).unwrap();
        if let Some(toml) = json.and_then(|_| to_toml(&text)) {
            std::fs::write(folder.join(format!("{name}.toml")), toml).unwrap();
            with_toml.push(name.clone());
        }
        all.push(name);
    }
    all.sort();
    (all, with_toml)
}

/// Runs `session check` for the files with this extension.
async fn check(folder: &Path, names: &[String], extension: &str, options: &[&str]) -> String {
    let mut command = program(None, &["session", "check"]);
    command.args(options).args(names.iter().map(|name| format!("{name}.{extension}"))).current_dir(folder);
    run_command(None, command, &["session", "check"], Vec::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_is_shown_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let (all, _) = write_cases(folder.path());
    let shown = check(folder.path(), &all, "json", &[]).await;
    // The advice is in commands, not in operations or items of the library.
    assert!(!shown.contains(" /v1/") && !shown.contains("this crate"), "{shown}");
    let mut rules = BTreeMap::<&str, String>::new();
    for diagnostic in shown.split_once("-- stderr\n").unwrap().1.split("\n\n") {
        let level = diagnostic.strip_prefix("error[").or(diagnostic.strip_prefix("warning["));
        if let Some((rule, _)) = level.and_then(|rest| rest.split_once(']')) {
            let _ = writeln!(rules.entry(rule).or_default(), "{diagnostic}\n");
        }
    }
    let ids = RULES.iter().map(|rule| rule.id).filter(|id| !ONLY_IN_CODE.contains(id));
    let ids: BTreeSet<_> = ids.collect();
    assert_eq!(rules.keys().copied().collect::<BTreeSet<_>>(), ids);
    for (rule, diagnostics) in rules {
        insta::assert_snapshot!(rule, diagnostics.trim_end());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn toml_has_the_same_diagnostics_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let (_, names) = write_cases(folder.path());
    let mut found = Vec::new();
    for extension in ["json", "toml"] {
        let shown = check(folder.path(), &names, extension, &["--json"]).await;
        let json = json_lines(&shown).remove(0);
        let problems = json["error"]["problems"].as_array().unwrap();
        let text = |problem: &Value, name: &str| problem[name].as_str().unwrap().to_owned();
        let file = |problem: &Value| text(problem, "file").rsplit_once('.').unwrap().0.to_owned();
        let rows = problems.iter().map(|one| (file(one), text(one, "rule"), text(one, "path")));
        found.push(rows.collect::<BTreeSet<_>>());
    }
    assert!(found[0].len() > 50, "{}", found[0].len());
    assert_eq!(found[0], found[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_toml_is_shown_with_its_line() {
    let texts = [
        "mode = LITE\n",
        "mode = \"LITE\"\nmode = \"FULL\"\n",
        "[livekit_config\nlivekit_url = \"wss://room.example\"\n",
        "mode = \"LITE\"\navatar_id = \"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a\"\nis_sandbox = True\n",
        "mode: LITE\n",
        "max_session_duration = 6_0\nmode = 'LITE'\nvideo_settings = { quality = 'high' }\n",
    ];
    let mut shown = String::new();
    for text in texts {
        let _ = writeln!(shown, "{text}{}", run(None, &["session", "check", "-"], text).await);
    }
    insta::assert_snapshot!(shown);
}
