//! A session through the crate, against the mock: minted, started, kept alive, stopped, read.

use liveavatar_api::ErrorKind;
use liveavatar_api::session::{
    AnyConfiguration, Configuration, Custom, Full, Lite, ModeName, SANDBOX_AVATAR_ID,
};
use liveavatar_api::types::{self, SessionEndReason};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::client;
use serde_json::{Value, json};

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

fn full() -> Configuration<Full> {
    let persona = types::AvatarPersona::builder().context_id(Some(ID.parse().unwrap()));
    Configuration::<Full>::build(|full| {
        full.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).avatar_persona(Some(persona.try_into().unwrap()))
    })
    .unwrap()
}

fn lite() -> Configuration<Lite> {
    Configuration::<Lite>::build(|lite| lite.avatar_id(ID)).unwrap()
}

fn room() -> types::LiveKitConfig {
    let room = types::LiveKitConfig::builder().livekit_url("wss://room.example".to_owned());
    room.livekit_room("lobby".to_owned()).livekit_client_token("canary-room-token").try_into().unwrap()
}

fn custom() -> Configuration<Custom> {
    Configuration::<Custom>::build(|custom| custom.avatar_id(ID).livekit_config(Some(room()))).unwrap()
}

/// The requests so far: method, path, status and body.
fn log(server: &Server) -> String {
    let lines = server.requests().into_iter().map(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let body = if body.is_null() { String::new() } else { format!(" {body}") };
        format!("{} {} -> {}{body}", request.method, request.path, request.status)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_full_session_runs_from_token_to_transcript() {
    let server = Server::start().await.unwrap();
    let minted = client(&server).mint(&full()).await.unwrap();
    assert!(server.running_sessions().is_empty());
    let session = minted.start().await.unwrap();
    assert_eq!(server.running_sessions(), [session.id()]);
    assert!(session.started().livekit_client_token.is_some());
    assert_eq!(session.started().ws_url, None);
    assert_eq!(session.max_duration().unwrap().as_secs(), 60);
    session.keep_alive().await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    assert!(server.running_sessions().is_empty());
    let details = session.details().await.unwrap();
    assert_eq!(details.end_reason, Some(SessionEndReason::UserClosed.into()));
    let said = session.transcript().await.unwrap();
    assert!(!said.is_empty());
    insta::assert_snapshot!(log(&server), @r#"
    POST /v1/sessions/token -> 200 {"avatar_id":"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a","avatar_persona":{"context_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11"},"is_sandbox":true,"mode":"FULL"}
    POST /v1/sessions/start -> 201
    POST /v1/sessions/keep-alive -> 200 {"session_id":"5e551001-0000-4000-8000-000000000001"}
    POST /v1/sessions/stop -> 200 {"reason":"USER_CLOSED","session_id":"5e551001-0000-4000-8000-000000000001"}
    GET /v1/sessions/5e551001-0000-4000-8000-000000000001 -> 200
    GET /v1/sessions/5e551001-0000-4000-8000-000000000001/transcript -> 200
    "#);
}

#[tokio::test]
async fn the_three_token_requests_serialise_exactly() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let _ = client.mint(&full()).await.unwrap();
    let _ = client.mint(&lite()).await.unwrap();
    let _ = client.mint(&custom()).await.unwrap();
    let _ = client.mint(&custom().under_its_older_name().unwrap()).await.unwrap();
    let bodies: Vec<_> =
        server.requests().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    insta::assert_snapshot!(bodies.join("\n").replace("canary-room-token", "[secret]"), @r#"
    {"avatar_id":"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a","avatar_persona":{"context_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11"},"is_sandbox":true,"mode":"FULL"}
    {"avatar_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11","mode":"LITE"}
    {"avatar_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11","livekit_config":{"livekit_client_token":"[secret]","livekit_room":"lobby","livekit_url":"wss://room.example"},"mode":"LITE"}
    {"avatar_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11","livekit_config":{"livekit_client_token":"[secret]","livekit_room":"lobby","livekit_url":"wss://room.example"},"mode":"CUSTOM"}
    "#);
}

#[tokio::test]
async fn lite_and_custom_sessions_get_their_media() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let lite = client.mint(&lite()).await.unwrap().start().await.unwrap();
    assert!(lite.started().ws_url.is_some());
    let custom = client.mint(&custom()).await.unwrap().start().await.unwrap();
    assert_eq!(custom.started().livekit_url.as_deref(), Some("wss://room.example"));
    assert_eq!(server.running_sessions().len(), 2);
}

#[tokio::test]
async fn a_stopped_session_is_stopped_again_without_an_error() {
    let server = Server::start().await.unwrap();
    let session = client(&server).mint(&full()).await.unwrap().start().await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    let error = session.keep_alive().await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.operation(), Some("keep_session_alive"));
}

#[tokio::test]
async fn too_many_sessions_are_a_kind_of_their_own() {
    let server = Server::builder().session_limit(1).start().await.unwrap();
    let client = client(&server);
    let _running = client.mint(&full()).await.unwrap().start().await.unwrap();
    let error = client.mint(&full()).await.unwrap().start().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::ConcurrencyLimit, Some(4032)));
    assert_eq!(server.running_sessions().len(), 1);
}

#[tokio::test]
async fn a_start_whose_outcome_is_open_is_stopped() {
    let started = json!({ "code": 1000, "data": { "session": "in another shape" }, "message": null });
    for answer in [
        MockResponse::json(500, json!({})),
        // Whoever says so may have passed the request on.
        MockResponse::json(408, json!({})),
        MockResponse::json(201, started),
        MockResponse::raw(201, "text/html", "<p>"),
    ] {
        let server = Server::start().await.unwrap();
        let minted = client(&server).mint(&full()).await.unwrap();
        server.mock_response("start_session", answer);
        minted.start().await.unwrap_err();
        let last = server.requests().pop().unwrap();
        assert_eq!(last.operation.as_deref(), Some("stop_session"));
    }
}

#[tokio::test]
async fn a_start_that_was_refused_is_not_stopped() {
    let server = Server::start().await.unwrap();
    let minted = client(&server).mint(&full()).await.unwrap();
    server.mock_response(
        "start_session",
        MockResponse::json(403, json!({ "code": 4033, "message": "No credits available" })),
    );
    assert_eq!(minted.start().await.unwrap_err().kind(), ErrorKind::InsufficientCredits);
    assert_eq!(server.requests().pop().unwrap().operation.as_deref(), Some("start_session"));
}

#[tokio::test]
async fn a_transcript_is_read_to_its_end_and_a_page_that_points_back_ends_it() {
    let server = Server::start().await.unwrap();
    let session = client(&server).mint(&full()).await.unwrap().start().await.unwrap();
    let page = |text: &str, next: Value| {
        let line =
            json!({ "role": "user", "transcript": text, "absolute_timestamp": 1, "relative_timestamp": 1 });
        let data = json!({ "session_active": true, "next_timestamp": next, "transcript_data": [line] });
        MockResponse::json(200, json!({ "code": 1000, "data": data, "message": null }))
    };
    for answer in [page("a", json!(10)), page("b", json!(20)), page("c", json!(10))] {
        server.mock_response("get_session_transcript", answer);
    }
    let said: Vec<_> = session.transcript().await.unwrap().into_iter().map(|line| line.transcript).collect();
    assert_eq!(said, ["a", "b", "c"]);
    let queries: Vec<_> = server.requests().into_iter().filter_map(|request| request.query).collect();
    assert_eq!(queries, ["start_timestamp=10", "start_timestamp=20"]);
}

#[test]
fn a_configuration_is_built_only_if_every_rule_holds() {
    let problems = Configuration::<Full>::build(|full| {
        full.avatar_id(ID)
            .is_sandbox(true)
            .max_session_duration(600)
            .avatar_persona(Some(types::AvatarPersona::builder().try_into().unwrap()))
            .voice_agent(Some(types::VoiceAgentRef::builder().id(ID).try_into().unwrap()))
    });
    insta::assert_snapshot!(problems.unwrap_err(), @"
    error[sandbox-avatar] avatar_id: is not the avatar that works in sandbox sessions
      hint: use `dd73ea75-1218-4ef3-92ce-606d5f7fbc0a`, or set `is_sandbox` to false
    error[persona-or-voice-agent] avatar_persona: cannot stand beside `voice_agent`
      hint: keep `voice_agent`; `avatar_persona` is deprecated in its favour
    warning[no-context] avatar_persona.context_id: is not set; the avatar hears but does not answer
      hint: create a context with POST /v1/contexts and name it here
    error[sandbox-duration] max_session_duration: is 600 seconds, a sandbox session lasts 60 at most
      hint: leave it out
    ");
    let problems = Configuration::<Custom>::build(|custom| custom.avatar_id(ID));
    insta::assert_snapshot!(problems.unwrap_err(), @"
    error[custom-needs-livekit] livekit_config: is required in CUSTOM
      hint: add the room, or use LITE, the name of this mode since early 2026
    ");
    let problems = Configuration::<Lite>::build(|lite| lite.avatar_id("Anna_public_3"));
    insta::assert_snapshot!(problems.unwrap_err(), @"error[wrong-type] avatar_id: the value given does not convert to the field's type");
    let problems = Configuration::<Lite>::build(|lite| lite);
    insta::assert_snapshot!(problems.unwrap_err(), @"error[missing-field] avatar_id: is required");
}

#[test]
fn the_mode_is_left_out_only_beside_a_voice_agent() {
    let agent: types::VoiceAgentRef = types::VoiceAgentRef::builder().id(ID).try_into().unwrap();
    let derived =
        Configuration::<Full>::build(|full| full.avatar_id(ID).mode(None).voice_agent(Some(agent))).unwrap();
    assert_eq!(serde_json::to_value(derived.body()).unwrap().get("mode"), None);
    let problems = Configuration::<Full>::build(|full| full.avatar_id(ID).mode(None)).unwrap_err();
    assert!(problems.errors().any(|problem| problem.rule() == "mode-missing"));
}

#[test]
fn a_configuration_reads_what_it_writes() {
    let texts = [
        serde_json::to_string(&full()).unwrap(),
        serde_json::to_string(&lite()).unwrap(),
        serde_json::to_string(&custom()).unwrap(),
    ];
    for text in &texts {
        let read: AnyConfiguration = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), *text);
    }
    let modes = texts.each_ref().map(|text| AnyConfiguration::from_json(text).unwrap().mode());
    assert_eq!(modes, [ModeName::Full, ModeName::Lite, ModeName::Custom]);
}

#[test]
fn a_configuration_of_another_mode_is_refused() {
    let text = serde_json::to_string(&lite()).unwrap();
    insta::assert_snapshot!(Configuration::<Full>::from_json(&text).unwrap_err(), @"
    error[mode-unknown] mode: the configuration is for LITE, and FULL is asked for
      hint: read it as any mode, or change its `mode`
    ");
}

#[test]
fn custom_under_its_older_name_takes_only_the_fields_of_then() {
    let configuration = Configuration::<Custom>::build(|custom| {
        custom.avatar_id(ID).livekit_config(Some(room())).max_session_duration(60)
    });
    insta::assert_snapshot!(configuration.unwrap().under_its_older_name().unwrap_err(), @"
    error[wrong-mode-field] max_session_duration: is no field of the early CUSTOM request
      hint: leave it out, or let the request say LITE
    ");
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    let text = json!({ "mode": "LITE", "avatar_id": ID, "max_session_duration": 60.0 }).to_string();
    let configuration = Configuration::<Lite>::from_json(&text).unwrap();
    assert_eq!(serde_json::to_value(configuration.body()).unwrap()["max_session_duration"], json!(60));
}

#[test]
fn a_configuration_shows_no_secret() {
    let shown = format!("{:?}", custom());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn examples_are_what_they_are_called() {
    let folder = xtask::regen::workspace().join("liveavatar-api/examples");
    let mut report = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let read = AnyConfiguration::from_json(&std::fs::read_to_string(&path).unwrap());
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            report.push(match read {
                Ok(configuration) => {
                    format!("{name}: {}\n{}", configuration.mode(), configuration.warnings())
                }
                Err(problems) => format!("{name}: broken\n{problems}"),
            });
        }
    }
    report.sort();
    insta::assert_snapshot!(report.join("\n"));
}
