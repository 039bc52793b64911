//! `session watch`: details and transcript until the end.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use liveavatar_api::session::AnyConfiguration;
use liveavatar_api::{Client, Credential};

use super::{EXAMPLES, json_lines, mock_builder, program};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_followed_until_it_is_stopped() {
    let server = mock_builder().start().await.unwrap();
    let key = Credential::api_key(server.api_key()).unwrap();
    let client = Client::builder().base_url(server.url()).credential(key).build().unwrap();
    let text = std::fs::read_to_string(format!("{EXAMPLES}/full-sandbox.json")).unwrap();
    let configuration = AnyConfiguration::from_json(&text).unwrap();
    let token = client.mint(&configuration).await.unwrap();
    token.start().await.unwrap();
    let session = client.session(token.id());
    let id = session.id().to_string();
    let mut child = program(Some(&server), &["session", "watch", &id, "--every", "1", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (sender, first_line) = tokio::sync::oneshot::channel();
    let reader = tokio::task::spawn_blocking(move || {
        let (mut sender, mut all) = (Some(sender), Vec::new());
        for line in out.lines().map(Result::unwrap) {
            if line.contains(r#""event":"said""#)
                && let Some(sender) = sender.take()
            {
                sender.send(()).unwrap();
            }
            all.push(line);
        }
        all
    });
    first_line.await.unwrap();
    session.stop().await.unwrap();
    let all = json_lines(&reader.await.unwrap().join("\n"));
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    let names: Vec<_> = all.iter().map(|line| line["data"]["event"].as_str().unwrap()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"status"), Some(&"ended")), "{names:?}");
    let said: Vec<_> = all.iter().filter(|line| line["data"]["event"] == "said").collect();
    let transcript = session.transcript().await.unwrap();
    assert_eq!(said.len(), transcript.len(), "each line once: {names:?}");
    let ended = &all.last().unwrap()["data"];
    assert_eq!(
        (&ended["end_reason"], &ended["session"]["end_reason"]),
        (&"USER_CLOSED".into(), &"USER_CLOSED".into())
    );
}
