//! Who may join, and how.

use std::time::Duration;

use liveavatar_mock::RoomFault;
use livekit_protocol::leave_request::Action;
use livekit_protocol::{DisconnectReason, TrackType};
use livekit_token::{AccessToken, VideoGrants};
use serde_json::json;
use str0m::media::MediaKind;

use crate::harness::{faulty, full, lite, server, start};
use crate::peer::{Event, Path, Peer, rejection};

/// A token of the same key for the room `my-room`, which expired when 2026 began.
const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.
    eyJleHAiOjE3NjcyMjU2MDAsImlzcyI6ImRldmtleSIsIm5iZiI6MCwic3ViIjoibWUiLCJuYW1lIjoiIiwidmlkZW8iOnsicm9vbUpvaW4iOnRydWUsInJvb20iOiJteS1yb29tIn19.
    3gVLNfMfLUKrQgIj0lJ4i18OZo5zouBSkesynozEAUg";

/// A token of the key that the mock accepts.
fn token(room: &str, identity: &str) -> AccessToken {
    let grants = VideoGrants { room_join: true, room: room.to_owned(), ..VideoGrants::default() };
    AccessToken::with_api_key("devkey", "secret").with_identity(identity).with_grants(grants)
}

#[tokio::test]
async fn a_client_sees_and_hears_the_avatar_with_one_and_with_two_peer_connections() {
    let server = server().await;
    for path in [Path::Dual, Path::Single] {
        let session = full(&server).await;
        let mut peer = session.join(path).await;
        let others = peer.others().await;
        let mut identities: Vec<&str> = others.iter().map(|other| other.identity.as_str()).collect();
        identities.sort_unstable();
        assert_eq!(identities, ["heygen", &format!("liveavatar-agent-{}", session.id)]);
        let (mut audio, mut video) = (0, Vec::new());
        while audio < 20 || video.len() < 10 {
            let media = |event| match event {
                Event::Media { track, kind, data, .. } => Some((track, kind, data)),
                _ => None,
            };
            let (track, kind, data) = peer.wait_for(media).await;
            let mut announced = others.iter().flat_map(|other| &other.tracks);
            let announced = announced.find(|announced| announced.sid == track).unwrap();
            assert_eq!(announced.r#type() == TrackType::Audio, kind == MediaKind::Audio);
            match kind {
                MediaKind::Audio => audio += 1,
                // The lowest bit of a VP8 key frame is 0.
                MediaKind::Video => video.push(data[0] & 1 == 0),
            }
        }
        assert!(video[0], "the first frame is a key frame");
    }
}

#[tokio::test]
async fn an_invalid_token_is_rejected_with_a_reason_that_browsers_can_read() {
    let server = server().await;
    let session = full(&server).await;
    let valid = session.text("livekit_client_token").to_owned();
    let expired = EXPIRED.replace(char::is_whitespace, "");
    let foreign = AccessToken::with_api_key("devkey", "other").with_identity("me").to_jwt().unwrap();
    let no_room = AccessToken::with_api_key("devkey", "secret").with_identity("me").to_jwt().unwrap();
    let ended = token("0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11", "me").to_jwt().unwrap();
    let http = reqwest::Client::new();
    for (token, status) in
        [(valid, 200), (expired, 401), (foreign, 401), (no_room, 401), (ended, 404), (String::new(), 401)]
    {
        for path in ["/rtc/validate", "/rtc/v1/validate"] {
            let url = format!("{}{path}?access_token={token}", server.url());
            let response = http.get(url).header("origin", "http://page.example").send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{path}");
            assert_eq!(response.headers()["access-control-allow-origin"], "http://page.example");
            assert!(!response.text().await.unwrap().is_empty());
        }
        if status != 200 {
            let failure = Peer::join(session.text("livekit_url"), &token, Path::Dual).await.err().unwrap();
            assert_eq!(rejection(&failure).unwrap().0, status);
        }
    }
}

#[tokio::test]
async fn a_client_that_wants_to_resume_has_to_join_again() {
    let server = server().await;
    let session = full(&server).await;
    let token = format!("{}&reconnect=1", session.text("livekit_client_token"));
    let mut peer = Peer::join(session.text("livekit_url"), &token, Path::Dual).await.unwrap();
    assert_eq!(peer.left().await.action(), Action::Reconnect);
}

#[tokio::test]
async fn a_second_client_with_the_same_identity_replaces_the_first() {
    let server = server().await;
    let session = full(&server).await;
    let mut first = session.join(Path::Dual).await;
    first.wait_for_picture().await;
    let mut second = session.join(Path::Single).await;
    assert_eq!(first.left().await.reason(), DisconnectReason::DuplicateIdentity);
    second.wait_for_picture().await;
}

#[tokio::test]
async fn two_users_see_and_hear_each_other() {
    let server = server().await;
    let session = lite(&server).await;
    let mut user = session.join(Path::Dual).await;
    user.ready().await;
    let mut agent = session.join_as("livekit_agent_token", Path::Single).await;
    agent.ready().await;
    let identity = format!("liveavatar-agent-{}", session.id);
    user.wait_for_participant(&identity).await;
    agent.send("chat", b"hello".to_vec());
    let heard = user
        .wait_for(|event| match event {
            Event::Data { from, topic, payload } => Some((from, topic, payload)),
            _ => None,
        })
        .await;
    assert_eq!(heard, (identity.clone(), "chat".to_owned(), b"hello".to_vec()));
    // Packets that arrive before the user has subscribed are not for the user.
    loop {
        agent.speak(vec![0xf8, 0xff, 0xfe], -7);
        let is_heard = user
            .wait_for(|event| match event {
                Event::Media { kind: MediaKind::Audio, level, .. } => Some(level == Some(-7)),
                _ => None,
            })
            .await;
        if is_heard {
            break;
        }
    }
    agent.leave();
    let gone = |event| match event {
        Event::Participant(info) if info.identity == identity => Some(info.state()),
        _ => None,
    };
    while user.wait_for(gone).await != livekit_protocol::participant_info::State::Disconnected {}
}

#[tokio::test]
async fn the_avatar_arrives_late() {
    for path in [Path::Dual, Path::Single] {
        let server = faulty(RoomFault::LateAvatar(Duration::from_secs(10))).await;
        let session = full(&server).await;
        let mut peer = session.join(path).await;
        assert!(peer.others().await.iter().all(|other| other.identity != "heygen"));
        peer.ready().await;
        server.advance(Duration::from_secs(10));
        assert_eq!(peer.wait_for_participant("heygen").await.tracks.len(), 2);
        peer.wait_for_picture().await;
    }
}

#[tokio::test]
async fn the_avatar_of_an_own_room_arrives_with_the_identity_of_its_token() {
    let server = server().await;
    let url = server.url().replace("http", "ws");
    let user = token("my-room", "me").to_jwt().unwrap();
    let mut peer = Peer::join(&url, &user, Path::Dual).await.unwrap();
    assert!(peer.others().await.is_empty());
    peer.ready().await;
    let avatar = token("my-room", "my-avatar").with_name("Ann").to_jwt().unwrap();
    let room = json!({ "livekit_url": url, "livekit_room": "my-room", "livekit_client_token": avatar });
    let session = start(&server, "LITE", json!({ "livekit_config": room })).await;
    assert_eq!(peer.wait_for_participant("my-avatar").await.name, "Ann");
    peer.wait_for_picture().await;
    assert!(server.end_session(session.id, "AGENT_HANG_UP"));
    assert_eq!(peer.left().await.reason(), DisconnectReason::RoomDeleted);
}
