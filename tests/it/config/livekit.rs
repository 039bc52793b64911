//! The caller's LiveKit room: minting a token, checking it, and checking its expiry again before use.

use std::time::{Duration, SystemTime};

use liveavatar_api::session::{CustomSession, LiteSession, LiveKitServer, Mintable as _};
use liveavatar_api::types::LiveKitConfig;
use liveavatar_api::{Clock as _, Error};
use liveavatar_mock::Server;
use liveavatar_tests::{TestClock, client};
use serde_json::{Value, json};

use super::bases::jwt;

const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

fn livekit() -> LiveKitServer {
    LiveKitServer::new("wss://room.example", "canary-key", "canary-secret").unwrap()
}

/// The claims of the room's token.
fn claims(room: &LiveKitConfig) -> Value {
    use base64::Engine as _;
    let payload = room.livekit_client_token.expose().split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn a_minted_token_grants_what_the_avatar_needs_and_nothing_else() {
    let room = livekit().room_as("lobby", "avatar", Duration::from_secs(600)).unwrap();
    let mut claims = claims(&room);
    let lifetime = claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap();
    assert!((599..=601).contains(&lifetime), "{lifetime}");
    claims.as_object_mut().unwrap().retain(|name, _| name != "exp" && name != "nbf");
    insta::assert_snapshot!(claims, @r#"{"iss":"canary-key","sub":"avatar","video":{"canPublish":true,"canPublishData":true,"canSubscribe":true,"room":"lobby","roomJoin":true}}"#);
}

#[test]
fn two_avatars_in_a_room_do_not_share_an_identity() {
    let identity = || claims(&livekit().room("lobby", Duration::from_secs(600)).unwrap())["sub"].clone();
    assert_ne!(identity(), identity());
}

#[tokio::test]
async fn a_minted_room_passes_every_rule_and_reaches_the_service() {
    let room = livekit().room("lobby", Duration::from_secs(600)).unwrap();
    let custom = CustomSession::builder().avatar_id(AVATAR).max_session_duration(300).livekit_config(room);
    let custom = custom.build().unwrap();
    assert!(custom.warnings().is_empty(), "{}", custom.warnings());
    let server = Server::start().await.unwrap();
    let started = client(&server).mint(&custom).await.unwrap().start().await.unwrap();
    assert_eq!(started.livekit_url.as_deref(), Some("wss://room.example"));
}

#[test]
fn an_invalid_server_or_room_is_an_error() {
    let server = |url: &str, key: &str, secret: &str| LiveKitServer::new(url, key, secret).map(drop);
    let minute = Duration::from_secs(60);
    let results: Vec<Result<(), Error>> = vec![
        server("room.example", "k", "s"),
        server("ftp://room.example", "k", "s"),
        server("wss://room.example", "", "s"),
        server("wss://room.example", "k", ""),
        livekit().room("", minute).map(drop),
        livekit().room_as("lobby", "", minute).map(drop),
        livekit().room("lobby", Duration::ZERO).map(drop),
    ];
    let lines: Vec<String> = results.into_iter().map(|result| result.unwrap_err().to_string()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    the LiveKit URL must be like wss://livekit.example.com
    the LiveKit URL must be like wss://livekit.example.com
    the LiveKit API key is empty
    the LiveKit API secret is empty
    room: must not be empty
    identity: must not be empty
    lifetime: must be at least 1 s
    ");
}

#[test]
fn debug_output_hides_key_secret_and_token() {
    let server = livekit();
    let room = server.room("lobby", Duration::from_secs(600)).unwrap();
    let shown = format!("{server:?} {room:?}");
    assert!(!shown.contains("canary") && !shown.contains(room.livekit_client_token.expose()), "{shown}");
}

/// A LITE configuration whose token expires this many seconds after the start of 2100.
fn expiring(seconds: i64, max_session_duration: Option<i64>) -> LiteSession {
    let token = jwt(&json!({"exp": 4_102_444_800_i64 + seconds, "video": {"room": "r", "roomJoin": true}}));
    let room = LiveKitConfig::builder().livekit_url("wss://room.example").livekit_room("r");
    let lite = LiteSession::builder().avatar_id(AVATAR).max_session_duration(max_session_duration);
    lite.livekit_config(room.livekit_client_token(token)).build().unwrap()
}

#[tokio::test]
async fn a_token_that_expired_after_the_check_is_an_error_before_any_request() {
    let server = Server::start().await.unwrap();
    // The test clock starts in 2026; this one is moved to 2100.
    let clock = TestClock::default();
    clock.sleep(Duration::from_secs(4_102_444_800 - 1_767_225_600)).await;
    let at_2026 = client(&server);
    let at_2100 = liveavatar_api::Client::builder()
        .base_url(server.url())
        .credential(liveavatar_api::Credential::api_key(server.api_key()).unwrap())
        .clock(clock.clone())
        .build()
        .unwrap();
    for configuration in [expiring(0, None), expiring(299, Some(300))] {
        let _ = at_2026.mint(&configuration).await.unwrap();
        let _ = server.take_requests();
        let minted = at_2100.mint(&configuration).await.unwrap_err();
        let opened = at_2100.open(&configuration).await.unwrap_err();
        for error in [minted, opened] {
            assert!(error.is_invalid_request() && server.requests().is_empty(), "{error}");
        }
    }
    let _ = at_2100.mint(&expiring(1, None)).await.unwrap();
    let _ = at_2100.mint(&expiring(300, Some(300))).await.unwrap();
    let diagnostics = expiring(0, None).diagnostics_at(clock.now());
    insta::assert_snapshot!(diagnostics, @r"
    error[livekit-token-expired] livekit_config.livekit_client_token: has expired
      hint: mint it just before the session, and make it valid for longer than the session can last
    ");
}

#[tokio::test(start_paused = true)]
async fn a_token_expires_by_the_wall_clock_at_that_moment() {
    let server = Server::start().await.unwrap();
    let key = liveavatar_api::Credential::api_key(server.api_key()).unwrap();
    let client = liveavatar_api::Client::builder().base_url(server.url()).credential(key).build().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let in_an_hour = i64::try_from(now.as_secs()).unwrap() + 3600 - 4_102_444_800;
    let configuration = expiring(in_an_hour, None);
    // Two hours of Tokio's clock, and none of the wall clock.
    tokio::time::sleep(Duration::from_secs(7200)).await;
    let _ = client.mint(&configuration).await.unwrap();
}

#[test]
fn diagnostics_repeat_no_part_of_a_token() {
    let claims =
        json!({"exp": 1, "video": {"room": "canary-room", "canPublish": false, "canPublishData": false}});
    for token in [jwt(&claims), "canary".to_owned(), format!("canary.{}.canary", jwt(&claims))] {
        let text = json!({"mode": "CUSTOM", "avatar_id": AVATAR, "livekit_config": {
            "livekit_url": "wss://room.example", "livekit_room": "r", "livekit_client_token": token,
        }});
        let diagnostics = liveavatar_api::session::validate(&text.to_string());
        let shown = format!("{diagnostics} {diagnostics:?}");
        assert!(!diagnostics.is_empty());
        assert!(!token.split('.').any(|part| shown.contains(part)) && !shown.contains("canary"), "{shown}");
    }
}
