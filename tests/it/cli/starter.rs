//! `session new` and `schema`: files for editors and for a first session.

use std::fs;
use std::path::Path;

use liveavatar_mock::Server;
use serde_json::Value;

use super::{json_lines, program, run_command};

async fn run_in(folder: &Path, server: Option<&Server>, arguments: &[&str]) -> String {
    let mut command = program(server, arguments);
    command.current_dir(folder);
    run_command(server, command, arguments, Vec::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_is_explained_and_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for mode in ["lite", "full", "custom"] {
        let file = format!("{mode}.toml");
        all.push(run_in(folder.path(), None, &["session", "new", &file, "--mode", mode]).await);
        let text = fs::read_to_string(folder.path().join(&file)).unwrap();
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(80), "{text}");
        let checked = run_in(folder.path(), None, &["session", "check", &file]).await;
        assert!(checked.contains("exit 0") && checked.contains("0 errors"), "{checked}");
        // Every commented field becomes a field if its mark is removed.
        let uncomment = |line: &str| match line.strip_prefix('#') {
            Some(field) if !field.starts_with(' ') => field.to_owned(),
            _ => line.to_owned(),
        };
        let uncommented: Vec<_> = text.lines().map(uncomment).collect();
        let fields: toml::Table = toml::from_str(&uncommented.join("\n")).unwrap();
        assert!(fields.len() > 8, "{fields:?}");
        all.push(text);
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_names_a_schema_that_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), None, &["session", "new", "session.json"]).await;
    let text = fs::read_to_string(folder.path().join("session.json")).unwrap();
    let configuration: Value = serde_json::from_str(&text).unwrap();
    let schema = folder.path().join(configuration["$schema"].as_str().unwrap());
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    assert!(jsonschema::is_valid(&schema, &configuration), "{configuration}");
    let server = Server::start().await.unwrap();
    let shown = run_in(folder.path(), Some(&server), &["session", "token", "session.json"]).await;
    assert!(shown.contains("exit 0"), "{shown}");
    let sent = String::from_utf8(server.requests().remove(0).body).unwrap();
    assert!(!sent.contains("schema"), "the service does not know the field: {sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_the_same_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let text = run_in(folder.path(), None, &["schema"]).await;
    let text: Value = serde_json::from_str(text.split_once("-- stdout\n").unwrap().1).unwrap();
    let json = run_in(folder.path(), None, &["schema", "--json"]).await;
    assert_eq!(json_lines(&json)[0]["data"], text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_configuration_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (file, schema) = (folder.path().join("session.toml"), folder.path().join("liveavatar.schema.json"));
    fs::write(&file, "mine").unwrap();
    let shown = run_in(folder.path(), None, &["session", "new"]).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert!(!schema.exists());
    fs::write(&schema, "mine, too").unwrap();
    let shown = [shown, run_in(folder.path(), None, &["session", "new", "other.toml"]).await].join("\n");
    assert_eq!(fs::read_to_string(&schema).unwrap(), "mine, too");
    insta::assert_snapshot!(shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_line_is_accepted_in_json_and_toml_and_must_be_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let avatar = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a";
    let files = [
        ("a.json", format!(r#"{{"$schema": "./s.json", "mode": "LITE", "avatar_id": "{avatar}"}}"#)),
        ("a.toml", format!("\"$schema\" = './s.json'\nmode = 'LITE'\navatar_id = '{avatar}'\n")),
        ("wrong.toml", format!("\"$schema\" = 7\nmode = 'LITE'\navatar_id = '{avatar}'\n")),
    ];
    let mut shown = Vec::new();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
        shown.push(run_in(folder.path(), None, &["session", "check", name]).await);
    }
    insta::assert_snapshot!(shown.join("\n"));
}
