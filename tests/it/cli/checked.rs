//! `session check`: every kind of problem, in its place.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use liveavatar_api::session::RULES;
use serde_json::Value;

use super::{program, run, told};
use crate::config::all_texts;

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_a_configuration_is_shown_in_its_place() {
    let toml = "mode = \"LITE\"\navatar_id = \"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a\"\nissandbox = true\n\n[livekit_config]\nlivekit_url = \"wss://ü.example\"\nlivekit_agent_tokn = \"sk-1\"\n";
    let mut told = vec![
        run(None, &["session", "check", "broken.json"], "").await,
        run(None, &["session", "check", "lite-sandbox.json", "full-sandbox.json"], "").await,
        run(None, &["session", "check", "-"], toml).await,
        run(None, &["session", "check", "-", "--json"], toml).await,
        run(None, &["session", "check", "-"], "mode = \"LITE\navatar_id = sk-1\n").await,
        run(None, &["session", "check", "-"], "{\"mode\": \"LITE\", \"x\": \"sk-1\" \"y\"}").await,
    ];
    assert!(told[2..].iter().all(|told| !told.contains("sk-1")), "{told:?}");
    insta::assert_snapshot!(std::mem::take(&mut told).join("\n"));
}

/// A value in TOML, without a table of its own; none where TOML has no such value.
fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::Object(map) => {
            let fields = map
                .iter()
                .map(|(name, value)| Some(format!("{} = {}", Value::from(name.as_str()), inline(value)?)));
            format!("{{ {} }}", fields.collect::<Option<Vec<_>>>()?.join(", "))
        }
        // JSON's texts, numbers and truths are TOML's.
        other => other.to_string(),
    })
}

fn toml(text: &str) -> Option<String> {
    let Ok(Value::Object(map)) = serde_json::from_str(text) else { return None };
    let lines = map
        .iter()
        .map(|(name, value)| Some(format!("{} = {}\n", Value::from(name.as_str()), inline(value)?)));
    lines.collect()
}

/// What the program tells of files, as `rule path` for each.
async fn found(folder: &std::path::Path, files: &[String]) -> Vec<(String, String, String)> {
    let mut command = program(None, &["session", "check", "--json"]);
    command.args(files).current_dir(folder);
    let told = told(None, command, &[], Vec::new()).await;
    let json: Value = serde_json::from_str(told.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    let problems =
        json["error"]["problems"].as_array().or(json["data"]["problems"].as_array()).unwrap().clone();
    let text = |problem: &Value, name: &str| problem[name].as_str().unwrap().to_owned();
    problems
        .iter()
        .map(|problem| (text(problem, "file"), text(problem, "rule"), text(problem, "path")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_is_shown_in_its_place_and_in_toml_as_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let (mut files, mut both) = (Vec::new(), Vec::new());
    for (name, text) in all_texts() {
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let pretty = serde_json::from_str::<Value>(&text).ok().filter(|_| name != "a-key-twice");
        let pretty = pretty.map_or(text.clone(), |json| serde_json::to_string_pretty(&json).unwrap());
        let file = format!("{name}.json");
        std::fs::write(folder.path().join(&file), pretty).unwrap();
        if let Some(toml) = toml(&text).filter(|_| name != "a-key-twice") {
            std::fs::write(folder.path().join(format!("{name}.toml")), toml).unwrap();
            both.push(name);
        }
        files.push(file);
    }
    files.sort();
    let mut command = program(None, &["session", "check"]);
    command.args(&files).current_dir(folder.path());
    let shown = told(None, command, &["session", "check", "*.json"], Vec::new()).await;
    let unseen: Vec<_> =
        RULES.iter().filter(|rule| !shown.contains(&format!("[{}]", rule.id))).map(|rule| rule.id).collect();
    assert_eq!(unseen, [""; 0]);

    let named = |kind: &str| both.iter().map(|name| format!("{name}.{kind}")).collect::<Vec<_>>();
    let strip = |found: Vec<(String, String, String)>| -> BTreeSet<_> {
        let stem = |file: String| file.rsplit_once('.').unwrap().0.to_owned();
        found.into_iter().map(|(file, rule, path)| (stem(file), rule, path)).collect()
    };
    let (json, toml) =
        (found(folder.path(), &named("json")).await, found(folder.path(), &named("toml")).await);
    assert!(json.len() > 50, "{}", json.len());
    assert_eq!(strip(json), strip(toml));
    insta::assert_snapshot!(shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_toml_is_shown_where_it_breaks() {
    let broken = [
        "mode = LITE\n",
        "mode = \"LITE\"\nmode = \"FULL\"\n",
        "[livekit_config\nlivekit_url = \"wss://room.example\"\n",
        "mode = \"LITE\"\navatar_id = \"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a\"\nis_sandbox = True\n",
        "mode: LITE\n",
        "max_session_duration = 6_0\nmode = 'LITE'\nvideo_settings = { quality = 'high' }\n",
    ];
    let mut shown = String::new();
    for text in broken {
        let _ = writeln!(shown, "{text}{}", run(None, &["session", "check", "-"], text).await);
    }
    insta::assert_snapshot!(shown);
}
