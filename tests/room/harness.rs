//! A server with rooms, sessions on it, and what the tests expect of a participant.

use std::time::Duration;

use liveavatar_api::realtime::full::{CONTROL_TOPIC, FullCommand, FullEvent};
use liveavatar_mock::{Builder, EventStyle, RoomFault, Server};
use livekit_protocol::ParticipantInfo;
use serde_json::{Value, json};
use str0m::media::MediaKind;
use uuid::Uuid;

use crate::peer::{Event, Path, Peer};

const AVATAR: &str = "0e8f7a3c-93f1-4b0e-8d37-3f1f6a0c0001";
/// Louder packets are not silence, in decibels relative to full scale.
pub(crate) const LOUD: i8 = -60;

pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) token: String,
    /// What the start call returned.
    pub(crate) data: Value,
}

impl Session {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.data[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.data))
    }

    pub(crate) async fn join(&self, path: Path) -> Peer {
        self.join_as("livekit_client_token", path).await
    }

    pub(crate) async fn join_as(&self, token: &str, path: Path) -> Peer {
        Peer::join(self.text("livekit_url"), self.text(token), path).await.unwrap()
    }
}

pub(crate) fn builder() -> Builder {
    Server::builder().sockets(EventStyle::EventId).session_limit(30).room()
}

pub(crate) async fn server() -> Server {
    builder().start().await.unwrap()
}

pub(crate) async fn faulty(fault: RoomFault) -> Server {
    builder().room_fault(fault).start().await.unwrap()
}

pub(crate) async fn post(server: &Server, path: &str, token: Option<&str>, body: &Value) -> Value {
    let request = reqwest::Client::new().post(format!("{}{path}", server.url())).json(body);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request.header("x-api-key", server.api_key()),
    };
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
    response.json().await.unwrap_or_default()
}

/// Starts a session with additional fields in its configuration.
pub(crate) async fn start(server: &Server, mode: &str, fields: Value) -> Session {
    let mut body = json!({ "mode": mode, "avatar_id": AVATAR });
    body.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap_or_default());
    let minted = post(server, "/v1/sessions/token", None, &body).await;
    let token = minted["data"]["session_token"].as_str().unwrap().to_owned();
    let started = post(server, "/v1/sessions/start", Some(&token), &json!({})).await;
    let data = started["data"].clone();
    Session { id: data["session_id"].as_str().unwrap().parse().unwrap(), token, data }
}

pub(crate) async fn full(server: &Server) -> Session {
    start(server, "FULL", json!({ "avatar_persona": {} })).await
}

pub(crate) async fn lite(server: &Server) -> Session {
    start(server, "LITE", json!({})).await
}

/// Starts a FULL session and joins it, until commands can be sent.
pub(crate) async fn conversation(server: &Server) -> (Session, Peer) {
    let session = full(server).await;
    let mut peer = session.join(Path::Dual).await;
    peer.ready().await;
    (session, peer)
}

impl Peer {
    pub(crate) fn command(&self, command: &FullCommand, id: &str) {
        self.send(CONTROL_TOPIC, command.packet_with_id(id).payload);
    }

    pub(crate) async fn next_event(&mut self) -> FullEvent {
        self.wait_for(|event| match event {
            Event::Data { topic, payload, .. } => FullEvent::decode(&topic, &payload).unwrap(),
            _ => None,
        })
        .await
    }

    /// Waits for an event of this type and returns the types of the events up to it.
    pub(crate) async fn events_until(&mut self, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|seen| seen != last) {
            seen.push(self.next_event().await.event_type);
        }
        seen
    }

    pub(crate) async fn wait_for_sound(&mut self) {
        self.wait_for(|event| is_loud(&event).then_some(())).await;
    }

    pub(crate) async fn wait_for_picture(&mut self) {
        let is_picture = |event: &Event| matches!(event, Event::Media { kind: MediaKind::Video, .. });
        self.wait_for(|event| is_picture(&event).then_some(())).await;
    }

    pub(crate) async fn others(&mut self) -> Vec<ParticipantInfo> {
        self.wait_for(|event| match event {
            Event::Joined(others) => Some(others),
            _ => None,
        })
        .await
    }

    /// Waits until a participant that is there or arrives has tracks.
    pub(crate) async fn wait_for_participant(&mut self, identity: &str) -> ParticipantInfo {
        self.wait_for(|event| match event {
            Event::Participant(info) if info.identity == identity => Some(*info),
            Event::Joined(others) => others.into_iter().find(|info| info.identity == identity),
            _ => None,
        })
        .await
    }

    pub(crate) async fn left(&mut self) -> livekit_protocol::LeaveRequest {
        self.wait_for(|event| match event {
            Event::Left(leave) => Some(leave),
            _ => None,
        })
        .await
    }
}

pub(crate) fn is_loud(event: &Event) -> bool {
    matches!(event, Event::Media { kind: MediaKind::Audio, level: Some(level), .. } if *level > LOUD)
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
