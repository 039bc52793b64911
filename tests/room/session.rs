//! What happens to a session reaches its room.

use std::time::Duration;

use liveavatar_api::realtime::full::{FullCommand, FullEvent, FullEventKind};
use livekit_protocol::DisconnectReason;
use serde_json::json;

use crate::harness::{SECOND, builder, conversation, full, post, server};
use crate::peer::{Event, Path, Peer, rejection};

#[tokio::test]
async fn a_stopped_session_ends_its_room() {
    let server = server().await;
    let (session, mut peer) = conversation(&server).await;
    post(&server, "/v1/sessions/stop", Some(&session.token), &json!({})).await;
    assert_eq!(peer.left().await.reason(), DisconnectReason::RoomDeleted);
    let url = session.text("livekit_url");
    let failure = Peer::join(url, session.text("livekit_client_token"), Path::Dual).await.err().unwrap();
    assert_eq!(rejection(&failure).unwrap().0, 404);
}

#[tokio::test]
async fn the_room_ends_with_the_reason_of_the_session() {
    for (seconds, credits, expected) in
        [(20, 100, "MAX_DURATION_REACHED"), (1200, 100, "IDLE_TIMEOUT"), (1200, 2, "NO_CREDITS")]
    {
        let server = builder().max_session_duration(seconds).credits(credits).start().await.unwrap();
        let (_, mut peer) = conversation(&server).await;
        server.advance(SECOND * 301);
        let (mut stopped, mut left) = (None, None);
        // They travel on different connections.
        while stopped.is_none() || left.is_none() {
            match peer.wait_for(Some).await {
                Event::Data { topic, payload, .. } => {
                    stopped = FullEvent::decode(&topic, &payload).unwrap().map(|event| event.kind);
                }
                Event::Left(leave) => left = Some(leave.reason()),
                _ => {}
            }
        }
        let Some(FullEventKind::SessionStopped(Some(reason))) = stopped else { panic!("{stopped:?}") };
        assert_eq!((reason.to_string().as_str(), left), (expected, Some(DisconnectReason::RoomDeleted)));
    }
}

#[tokio::test]
async fn commands_keep_the_session_alive() {
    let server = server().await;
    let (session, mut peer) = conversation(&server).await;
    server.advance(SECOND * 299);
    peer.command(&FullCommand::SpeakText("Hello".into()), "c1");
    peer.events_until("avatar.speak_started").await;
    server.advance(SECOND * 299);
    assert_eq!(server.running_sessions(), [session.id]);
}

#[tokio::test]
async fn moving_the_clock_ends_what_is_being_said() {
    let server = server().await;
    let (_, mut peer) = conversation(&server).await;
    peer.command(&FullCommand::SpeakText("interminable ".repeat(300).into()), "c1");
    peer.events_until("avatar.speak_started").await;
    server.advance(Duration::from_secs(250));
    peer.events_until("avatar.speak_ended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_rooms_run_at_once() {
    let server = server().await;
    let mut rooms = Vec::new();
    for number in 0..20 {
        let session = full(&server).await;
        let path = if number % 2 == 0 { Path::Dual } else { Path::Single };
        rooms.push(tokio::spawn(async move {
            let mut peer = session.join(path).await;
            peer.ready().await;
            peer.command(&FullCommand::SpeakText("Hello".into()), "c1");
            peer.events_until("avatar.speak_ended").await;
            peer.wait_for_picture().await;
        }));
    }
    for room in rooms {
        room.await.unwrap();
    }
}
