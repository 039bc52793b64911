//! The window and the events behind it: what it shows, what it hides, and who may use it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use liveavatar_api::realtime::lite::LiteCommand;
use liveavatar_mock::{EventStyle, Failure, Fault, Server};
use reqwest::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use super::harness::{Auth, Mock, full, lite, send, with};

/// Far more than a test needs; it only stops one that hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads server-sent events until `count` of them have an id; returns those as id, kind and data.
async fn events(mock: &Mock, last_id: Option<&str>, count: usize) -> Vec<(String, String, Value)> {
    let mut request = mock.request(Auth::None, "GET", "/_mock/events");
    if let Some(id) = last_id {
        request = request.header("last-event-id", id);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    let mut stream = response.bytes_stream();
    let (mut text, mut found) = (String::new(), Vec::new());
    while found.len() < count {
        let chunk = tokio::time::timeout(TIMEOUT, stream.next()).await.expect("more events").unwrap();
        text += std::str::from_utf8(&chunk.unwrap()).unwrap();
        while let Some((event, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
            };
            let (id, kind, data) = (field("id: "), field("event: "), field("data: "));
            if !id.is_empty() {
                found.push((id, kind, serde_json::from_str(&data).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    found
}

#[tokio::test]
async fn the_window_may_load_code_and_data_only_from_the_mock() {
    let mock = Mock::start().await;
    let mut seen = Vec::new();
    for path in ["/_mock/", "/_mock/window.css", "/_mock/window.js"] {
        let response = mock.request(Auth::None, "GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        for name in ["content-type", "content-security-policy", "x-content-type-options", "referrer-policy"] {
            seen.push(format!("{path} {name}: {}", response.headers()[name].to_str().unwrap()));
        }
        let text = response.text().await.unwrap();
        let addresses: Vec<_> =
            text.split(['"', '\'', '(', '`']).filter(|part| part.starts_with("http")).collect();
        let namespace = addresses.iter().all(|address| address.starts_with("http://www.w3.org/"));
        assert!(namespace, "{path} refers to {addresses:?}");
        assert!(!text.contains("innerHTML") && !text.contains("style="), "{path}");
    }
    insta::assert_snapshot!(seen.join("\n"));
    let redirect = mock.request(Auth::None, "GET", "/_mock").send().await.unwrap();
    assert_eq!((redirect.status().as_u16(), redirect.url().path()), (200, "/_mock/"));
    assert!(mock.server.requests().is_empty());
}

#[tokio::test]
async fn events_have_requests_responses_and_faults_and_no_secrets() {
    let mock = Mock::start().await;
    let minted = mock.mint(with(full(), json!({ "avatar_persona": {} }))).await;
    let token = minted.text("/data/session_token");
    mock.start_with_token(&token).await;
    let secret =
        json!({ "secret_name": "key", "secret_type": "OPENAI_API_KEY", "secret_value": "canary-value" });
    mock.post(Auth::Key, "/v1/secrets?page=1", secret).await;
    mock.server.inject_fault("get_user_credits", 1, Fault::After(Failure::Disconnect));
    assert!(mock.request(Auth::Key, "GET", "/v1/users/credits").send().await.is_err());
    let events = events(&mock, None, 8).await;
    let text = events.iter().map(|(_, kind, data)| format!("{kind} {data:#}\n")).collect::<Vec<_>>().concat();
    assert!(!text.contains("canary") && !text.contains(&token), "{text}");
    let short = |(_, kind, data): &(String, String, Value)| {
        let mut data = data.clone();
        for noise in ["at", "headers", "milliseconds", "body_bytes"] {
            data.as_object_mut().unwrap().remove(noise);
        }
        format!("{kind} {data:#}")
    };
    insta::assert_snapshot!(events.iter().map(short).collect::<Vec<_>>().join("\n"));
    let headers = events[0].2["headers"].to_string();
    assert!(headers.contains(r#"["x-api-key","[redacted]"]"#), "{headers}");
}

#[tokio::test]
async fn a_reader_resumes_after_the_last_event_that_it_has_seen() {
    let mock = Mock::start().await;
    for _ in 0..3 {
        mock.get("/v1/users/credits").await;
    }
    let all = events(&mock, None, 6).await;
    let rest = events(&mock, Some(&all[3].0), 2).await;
    assert_eq!(rest, all[4..]);
    // An event of another server, or nonsense, begins from the start.
    for id in ["1-4", "4", "", "x-y"] {
        assert_eq!(events(&mock, Some(id), 6).await, all, "{id:?}");
    }
}

#[tokio::test]
async fn events_arrive_while_the_reader_waits_and_end_with_the_server() {
    let mock = Mock::start().await;
    let response = mock.request(Auth::None, "GET", "/_mock/events").send().await.unwrap();
    let mut stream = response.bytes_stream();
    let hello = stream.next().await.unwrap().unwrap();
    assert!(hello.starts_with(b"retry: 1000\nevent: hello\n"));
    mock.get("/v1/users/credits").await;
    let event = tokio::time::timeout(TIMEOUT, stream.next()).await.expect("an event").unwrap().unwrap();
    assert!(String::from_utf8_lossy(&event).contains("/v1/users/credits"));
    // An open stream does not keep the server from stopping.
    tokio::time::timeout(TIMEOUT, mock.server.shutdown()).await.expect("a stop");
}

#[tokio::test]
async fn frames_are_shown_without_their_audio() {
    let mock = Mock::with(Server::builder().sockets(EventStyle::EventId).record_audio()).await;
    let minted = mock.mint(lite()).await;
    let id = minted.text("/data/session_id");
    let started = mock.start_with_token(&minted.text("/data/session_token")).await;
    let url = started.text("/data/ws_url");
    let stream = TcpStream::connect(url.split('/').nth(2).unwrap()).await.unwrap();
    let (mut socket, _) = client_async(&url, stream).await.unwrap();
    let command = LiteCommand::Speak(vec![0; 4800].into()).encode("utt-1");
    socket.send(Message::text(command)).await.unwrap();
    while !socket.next().await.unwrap().unwrap().to_text().unwrap().contains("appended") {}
    let state = send(mock.request(Auth::None, "GET", "/_mock/state")).await.body;
    let session = &state["sessions"][0];
    assert_eq!((&session["heard_seconds"], &session["id"]), (&json!(0.1), &json!(id)));
    assert_eq!(session["socket"]["utterances"][0]["event_id"], "utt-1");
    // Minting and starting are four events.
    let events = events(&mock, None, 4 + 5).await;
    let frame = |(_, kind, data): &(String, String, Value)| {
        let mut data = data.clone();
        data.as_object_mut().unwrap().remove("at");
        format!("{kind} {data}")
    };
    let frames: Vec<_> = events[4..].iter().map(frame).collect();
    insta::assert_snapshot!(frames.join("\n").replace(&id, "SESSION"));

    let wav = |query: &str| {
        let path = format!("/_mock/sessions/{id}/audio{query}");
        let request = mock.request(Auth::None, "GET", &path);
        async { request.send().await.unwrap().bytes().await.unwrap().len() }
    };
    assert_eq!(wav("").await - wav("?skip=4000").await, 4000);
    assert_eq!(wav("?skip=9999").await, 44);
}

#[tokio::test]
async fn one_fault_is_removed_by_its_id() {
    let mock = Mock::start().await;
    let mut ids = Vec::new();
    for operation in ["get_user_credits", "list_sessions"] {
        let fault = json!({ "operation": operation, "times": 4, "fault": { "delayed": 0.5 } });
        let response = send(mock.request(Auth::None, "POST", "/_mock/faults").json(&fault)).await;
        ids.push(response.headers["fault-id"].to_str().unwrap().to_owned());
    }
    let remove = |id: &str| send(mock.request(Auth::None, "DELETE", &format!("/_mock/faults/{id}")));
    assert_eq!(remove(&ids[0]).await.status, 204);
    assert_eq!(remove(&ids[0]).await.status, 404);
    let state = send(mock.request(Auth::None, "GET", "/_mock/state")).await.body;
    let left = json!([{ "id": 2, "operation": "list_sessions", "times": 4, "fault": { "delayed": 0.5 } }]);
    assert_eq!(state["faults"], left);
}

#[tokio::test]
async fn faults_of_rooms_are_set_all_at_once() {
    let mock = Mock::with(Server::builder().room()).await;
    let put = |faults: Value| send(mock.request(Auth::None, "PUT", "/_mock/rooms/faults").json(&faults));
    let state =
        || async { send(mock.request(Auth::None, "GET", "/_mock/state")).await.body["room_faults"].clone() };
    let all = json!([{ "late_avatar": 5.0 }, { "packet_loss": 0.25 }, "no_data", "silence"]);
    assert_eq!(put(all.clone()).await.status, 204);
    assert_eq!(state().await, all);
    // An invalid one changes nothing.
    assert_eq!(put(json!(["no_avatar", { "packet_loss": 2.0 }])).await.status, 400);
    assert_eq!(state().await, all);
    assert_eq!(put(json!(["no_avatar"])).await.status, 204);
    assert_eq!(state().await, json!(["no_avatar"]));
    mock.server.clear_faults();
    assert_eq!(state().await, json!([]));
    let without = Mock::start().await;
    let body = send(without.request(Auth::None, "GET", "/_mock/state")).await.body;
    assert_eq!(body["room_faults"], Value::Null);
}

#[tokio::test]
async fn a_session_is_ended_over_http() {
    let mock = Mock::start().await;
    let (id, _) = mock.start_session(full()).await;
    let end = || {
        let path = format!("/_mock/sessions/{id}/end");
        send(mock.request(Auth::None, "POST", &path).json(&json!({ "reason": "AGENT_HANG_UP" })))
    };
    assert_eq!((end().await.status, end().await.status), (204, 404));
    let mut state = send(mock.request(Auth::None, "GET", "/_mock/state")).await.body;
    for time in ["created_at", "updated_at", "end_at", "duration"] {
        state["sessions"][0][time] = "…".into();
    }
    insta::assert_snapshot!(format!("{:#}", state["sessions"]).replace(&id, "SESSION"));
    assert_eq!(state["slots"], json!({ "used": 0, "limit": 3 }));
}

/// Neither by a request across origins, nor by a public name that resolves to this machine.
#[tokio::test]
async fn a_page_of_another_site_cannot_use_the_control_api() {
    let mock = Mock::start().await;
    let own = mock.server.url().to_owned();
    let port = own.rsplit(':').next().unwrap();
    let local = format!("http://localhost:{port}");
    let credits = |host: Option<String>, origin: Option<&str>| {
        let mut request = mock.request(Auth::None, "PUT", "/_mock/credits").body(r#"{"credits":1}"#);
        for (name, value) in [("host", host), ("origin", origin.map(str::to_owned))] {
            request = value.into_iter().fold(request, |request, value| request.header(name, value));
        }
        async { request.send().await.unwrap() }
    };
    for (host, origin) in [
        (None, Some("https://evil.example")),
        (None, Some("null")),
        (None, Some(local.as_str())),
        (Some(format!("evil.example:{port}")), Some(format!("http://evil.example:{port}").as_str())),
        (Some(format!("evil.example:{port}")), None),
    ] {
        let response = credits(host.clone(), origin).await;
        assert_eq!(response.status(), 403, "{host:?} {origin:?}");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }
    assert_eq!(mock.server.credits(), 100_000);
    for (host, origin) in [
        (None, None),
        (None, Some(own.as_str())),
        (Some(format!("localhost:{port}")), Some(local.as_str())),
        (Some("mock:4010".to_owned()), None),
    ] {
        assert_eq!(credits(host.clone(), origin).await.status(), 204, "{host:?} {origin:?}");
    }
    for path in ["/_mock/state", "/_mock/events", "/_mock/"] {
        let rebound = mock.request(Auth::None, "GET", path).header("host", "evil.example");
        let response = rebound.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers().get(CONTENT_SECURITY_POLICY)),
            (403, None)
        );
    }
}
