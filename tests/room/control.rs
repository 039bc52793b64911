//! Faults of rooms, and their control over HTTP.

use liveavatar_api::realtime::full::FullCommand;
use liveavatar_mock::{RoomFault, Server};
use serde_json::{Value, json};
use str0m::media::MediaKind;

use crate::harness::{conversation, faulty, full, is_loud, server};
use crate::peer::{Event, Path};

async fn control(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let url = format!("{}/_mock/{path}", server.url());
    let response = reqwest::Client::new().request(method, url).json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn an_avatar_can_stay_away() {
    let server = faulty(RoomFault::NoAvatar).await;
    let session = full(&server).await;
    let mut peer = session.join(Path::Dual).await;
    let others = peer.others().await;
    let identities: Vec<&str> = others.iter().map(|it| it.identity.as_str()).collect();
    assert_eq!(identities, [format!("liveavatar-agent-{}", session.id)]);
    peer.ready().await;
}

#[tokio::test]
async fn a_silent_avatar_moves_and_reports_but_is_not_heard() {
    let server = faulty(RoomFault::Silence).await;
    let (_, mut peer) = conversation(&server).await;
    peer.command(&FullCommand::SpeakText("Hello".into()), "c1");
    let mut loud = 0;
    let mut is_over = false;
    while !is_over {
        let event = peer.wait_for(Some).await;
        loud += usize::from(is_loud(&event));
        is_over = matches!(event, Event::Speaking(false));
    }
    assert_eq!(loud, 0);
}

#[tokio::test]
async fn faults_and_activity_are_controlled_over_http() {
    let server = server().await;
    let (session, mut peer) = conversation(&server).await;
    let fault = |body| control(&server, "POST", "rooms/faults", body);
    assert_eq!(fault(json!("no_data")).await.0, 204);
    peer.command(&FullCommand::SpeakText("lost".into()), "c1");
    // The lost packet has arrived long before these.
    for _ in 0..10 {
        peer.wait_for_picture().await;
    }
    assert_eq!(fault(json!({ "packet_loss": 1.0 })).await.0, 204);
    assert_eq!(control(&server, "DELETE", "faults", json!({})).await.0, 204);
    peer.command(&FullCommand::SpeakText("Hello".into()), "c2");
    assert_eq!(peer.next_event().await.source_event_id.as_deref(), Some("c2"));
    let (status, activity) =
        control(&server, "GET", &format!("sessions/{}/room", session.id), json!({})).await;
    assert_eq!((status, &activity["commands"]), (200, &json!(["avatar.speak_text"])));
    assert_eq!(activity["participants"].as_array().unwrap().len(), 3);
    assert_eq!(fault(json!("disconnect")).await.0, 204);
    peer.wait_for(|event| matches!(event, Event::Closed).then_some(())).await;
    for body in [json!({ "packet_loss": 2 }), json!({ "late_avatar": -1 }), json!("noise")] {
        assert_eq!(fault(body).await.0, 400);
    }
    let plain = Server::start().await.unwrap();
    assert_eq!(control(&plain, "POST", "rooms/faults", json!("silence")).await.0, 404);
}

#[tokio::test]
async fn lost_packets_are_missing() {
    let server = faulty(RoomFault::PacketLoss(0.5)).await;
    let (_, mut peer) = conversation(&server).await;
    let mut numbers = Vec::new();
    while numbers.len() < 20 {
        let number = peer
            .wait_for(|event| match event {
                Event::Media { kind: MediaKind::Audio, packets, .. } => Some(*packets.start()),
                _ => None,
            })
            .await;
        numbers.push(number);
    }
    let lost = numbers[19] - numbers[0] - 19;
    assert!((5..=60).contains(&lost), "{lost} packets between 20 others");
}
