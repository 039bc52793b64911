//! Options for the fields of a body.

use liveavatar_mock::Server;
use serde_json::{Value, json};

use super::{UNKNOWN_SESSION, program, redact_ids, run, run_all};

/// Runs a command, expects that it succeeds, and returns the body that it sent.
async fn sent(server: &Server, arguments: &[&str], input: &str) -> Value {
    let before = server.requests().len();
    let shown = run(Some(server), arguments, input).await;
    assert!(shown.contains("\nexit 0\n"), "{shown}");
    let request = server.requests().into_iter().nth(before).unwrap();
    serde_json::from_slice(&request.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_field_has_an_option() {
    let server = Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompt.txt");
    std::fs::write(&file, "You are a concierge.\nBe brief.\n").unwrap();
    let file = file.to_str().unwrap();

    let create =
        ["contexts", "create", "--name", "Hotel", "--opening-text", "Welcome!", "--prompt-file", file];
    let context =
        json!({"name": "Hotel", "opening_text": "Welcome!", "prompt": "You are a concierge.\nBe brief."});
    assert_eq!(sent(&server, &create, "").await, context);

    let opening = ["contexts", "create", "--name", "123", "--opening-text-file", "-", "--prompt-file", file];
    let body = sent(&server, &opening, "Good evening.\n").await;
    assert_eq!((&body["name"], &body["opening_text"]), (&json!("123"), &json!("Good evening.")));

    let id = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a";
    let embed = ["embeddings", "create", "--avatar-id", id, "--is-sandbox", "--max-session-duration", "60"];
    let expected = json!({"avatar_id": id, "is_sandbox": true, "max_session_duration": 60});
    assert_eq!(sent(&server, &embed, "").await, expected);
    let off = ["embeddings", "create", "--avatar-id", id, "--is-sandbox=false", "--orientation", "vertical"];
    let expected = json!({"avatar_id": id, "is_sandbox": false, "orientation": "vertical"});
    assert_eq!(sent(&server, &off, "").await, expected);

    let secret = [
        "secrets",
        "create",
        "--secret-name",
        "n",
        "--secret-type",
        "OPENAI_API_KEY",
        "--secret-value-file",
        "-",
    ];
    let body = sent(&server, &secret, "sk-canary\n").await;
    assert_eq!(body["secret_value"], "sk-canary");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_replace_fields_of_the_body_and_paths_reach_nested_ones() {
    let server = Server::start().await.unwrap();
    let base = r#"{"name": "old", "opening_text": "o", "prompt": "p", "links": [{"url": "https://a.example", "faq": "f"}]}"#;
    let create = [
        "contexts",
        "create",
        "--json-body",
        "@-",
        "--name",
        "new",
        "--set",
        "opening_text=null",
        "--set",
        "links.0.faq=null",
        "--set",
        "links.1.url=https://b.example",
        "--set",
        "links.1.faq=1",
    ];
    let expected = json!({"name": "new", "opening_text": null, "prompt": "p", "links": [
        {"url": "https://a.example", "faq": null}, {"url": "https://b.example", "faq": "1"},
    ]});
    assert_eq!(sent(&server, &create, base).await, expected);
    let call = ["call", "keep_session_alive", "--set", &format!("session_id={UNKNOWN_SESSION}")];
    let shown = run(Some(&server), &call, "").await;
    let body: Value = serde_json::from_slice(&server.requests().last().unwrap().body).unwrap();
    assert_eq!(body, json!({"session_id": UNKNOWN_SESSION}), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_positional_in_every_command() {
    let server = Server::start().await.unwrap();
    for verb in ["get", "stop", "transcript", "watch", "keep-alive", "delete-events"] {
        let shown = run(Some(&server), &["session", verb, UNKNOWN_SESSION], "").await;
        assert!(!shown.contains("exit 2"), "{shown}");
        let request = server.requests().into_iter().next_back().unwrap();
        let body = String::from_utf8_lossy(&request.body).into_owned();
        assert!((request.path + &body).contains(UNKNOWN_SESSION), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_field_is_an_error_before_anything_is_sent() {
    let server = Server::start().await.unwrap();
    let all: &[&[&str]] = &[
        &["contexts", "create"],
        &["contexts", "create", "--name", "n", "--opening-text", "o", "--prompt", "p"],
        &["embeddings", "create", "--avatar-id", "x", "--orientation", "sideways"],
        &["embeddings", "create", "--avatar-id", UNKNOWN_SESSION, "--max-session-duration", "long"],
        &["contexts", "create", "--set", "links.1.url=x"],
        &["contexts", "create", "--set", "prompt=canary"],
        &["contexts", "create", "--set", "naem=x"],
        &["call", "create_secret", "--set", "secret_value=canary"],
        &["call", "create_context", "--set", "links=[{\"prompt\": \"canary\"}]"],
        &["call", "list_voices", "--set", "name=x"],
        &["avatars", "update", UNKNOWN_SESSION],
        &["contexts", "create", "--json-body", "[]", "--name", "x"],
        // The key of the account must not go to the host of a language model.
        &[
            "llm",
            "create",
            "--base-url",
            "http://127.0.0.1:1",
            "--display-name",
            "d",
            "--model-name",
            "m",
            "--secret-id",
            "s",
        ],
    ];
    let shown = run_all(Some(&server), all).await;
    assert!(server.requests().is_empty());
    let results = shown.lines().filter(|line| !line.starts_with('$'));
    assert!(results.clone().all(|line| !line.contains("canary")), "{shown}");
    assert_eq!(results.filter(|line| *line == "exit 2").count(), all.len(), "{shown}");
    insta::assert_snapshot!(redact_ids(&shown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_sample_is_written_to_a_file_and_not_to_the_terminal() {
    use base64::Engine as _;
    use liveavatar_mock::MockResponse;
    let server = Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.mp3");
    let file = file.to_str().unwrap();
    let audio = [0_u8, 159, 146, 150, 10, 13].repeat(50);
    let response = |base64: &str| {
        let body = json!({"code": 1000, "message": "ok", "data": {"audio_base64": base64}});
        server.mock_response("get_voice_preview_by_id", MockResponse::json(200, body));
    };
    let encoded = base64::prelude::BASE64_STANDARD.encode(&audio);
    let preview = |options: &[&'static str]| [&["voices", "preview", UNKNOWN_SESSION], options].concat();
    let mut shown = String::new();
    for options in
        [&[][..], &["-o", "FILE"], &["-o", "FILE", "--json"], &["-o", "/nowhere/x.mp3"], &["-o", "FILE"]]
    {
        response(if shown.matches("exit 2").count() == 1 { "not base64!" } else { &encoded });
        let arguments: Vec<&str> =
            preview(options).into_iter().map(|word| if word == "FILE" { file } else { word }).collect();
        shown += &run(Some(&server), &arguments, "").await.replace(file, "FILE");
    }
    assert_eq!(std::fs::read(file).unwrap(), audio);
    assert!(!shown.contains(&encoded), "{shown}");
    insta::assert_snapshot!(redact_ids(&shown));
    response(&encoded);
    let output = program(Some(&server), &preview(&["-o", "-"])).output().unwrap();
    assert_eq!(output.stdout, audio);
}
