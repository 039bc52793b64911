//! Events of the avatar.

use serde_json::{Map, Value};

use super::elevenlabs::ElevenLabsEvent;
use crate::error::Error;
use crate::realtime::fields::{Fields, stop_reason};
use crate::types::SessionEndReason;
use crate::wire::OpenEnum;

/// The topic of events, from the avatar to the client (official SDK).
pub const RESPONSE_TOPIC: &str = "agent-response";

/// An event of the avatar in a FULL session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FullEvent {
    /// What happened.
    pub kind: FullEventKind,
    /// The event type exactly as received.
    pub event_type: String,
    /// The event's id.
    pub event_id: Option<String>,
    /// The session's id.
    pub session_id: Option<String>,
    /// The id of the command that caused the event.
    pub source_event_id: Option<String>,
    /// All other fields.
    pub rest: Map<String, Value>,
}

/// What happened in a FULL session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FullEventKind {
    /// The user started speaking.
    UserSpeakStarted,
    /// The user stopped speaking.
    UserSpeakEnded,
    /// The final transcription of the user's speech.
    UserTranscription(String),
    /// A partial transcription of the user's speech.
    UserTranscriptionChunk(String),
    /// What the avatar says: sent at once for [`SpeakText`](super::FullCommand::SpeakText), else when the text is generated.
    AvatarTranscription(String),
    /// A part of what the avatar says.
    AvatarTranscriptionChunk(String),
    /// The avatar started speaking.
    AvatarSpeakStarted,
    /// The avatar stopped speaking.
    AvatarSpeakEnded,
    /// The service started taking the user's audio.
    PushToTalkStarted,
    /// The service rejected the start of push-to-talk.
    PushToTalkStartFailed,
    /// The service stopped taking the user's audio.
    PushToTalkStopped,
    /// The service rejected the stop of push-to-talk.
    PushToTalkStopFailed,
    /// The service ended the session.
    SessionStopped(Option<OpenEnum<SessionEndReason>>),
    /// The session changed; its payload is undocumented.
    SessionUpdated,
    /// The session's state changed; its payload is undocumented.
    SessionStateUpdated,
    /// An event of the ElevenLabs agent behind the avatar.
    ElevenLabs(ElevenLabsEvent),
    /// An event type or payload that this version does not know; see [`FullEvent::event_type`] and [`FullEvent::rest`].
    Unknown,
}

type ReadEvent = fn(&mut Fields) -> Option<FullEventKind>;

const EVENTS: &[(&str, ReadEvent)] = &[
    ("user.speak_started", |_| Some(FullEventKind::UserSpeakStarted)),
    ("user.speak_ended", |_| Some(FullEventKind::UserSpeakEnded)),
    ("user.transcription", |fields| fields.take_string("text").map(FullEventKind::UserTranscription)),
    ("user.transcription.chunk", |fields| {
        fields.take_string("text").map(FullEventKind::UserTranscriptionChunk)
    }),
    ("avatar.transcription", |fields| fields.take_string("text").map(FullEventKind::AvatarTranscription)),
    ("avatar.transcription.chunk", |fields| {
        fields.take_string("text").map(FullEventKind::AvatarTranscriptionChunk)
    }),
    ("avatar.speak_started", |_| Some(FullEventKind::AvatarSpeakStarted)),
    ("avatar.speak_ended", |_| Some(FullEventKind::AvatarSpeakEnded)),
    ("user.push_to_talk_started", |_| Some(FullEventKind::PushToTalkStarted)),
    ("user.push_to_talk_start_failed", |_| Some(FullEventKind::PushToTalkStartFailed)),
    ("user.push_to_talk_stopped", |_| Some(FullEventKind::PushToTalkStopped)),
    ("user.push_to_talk_stop_failed", |_| Some(FullEventKind::PushToTalkStopFailed)),
    ("session.stopped", |fields| Some(FullEventKind::SessionStopped(stop_reason(fields)))),
    ("session.updated", |_| Some(FullEventKind::SessionUpdated)),
    ("session.state_updated", |_| Some(FullEventKind::SessionStateUpdated)),
    ("elevenlabs_agent_event", |fields| ElevenLabsEvent::from_fields(fields).map(FullEventKind::ElevenLabs)),
];

impl FullEvent {
    /// Decodes a packet. Returns `None` if its topic is not [`RESPONSE_TOPIC`].
    ///
    /// Dots and underscores in event types are interchangeable, because the service's own pages mix them.
    ///
    /// # Errors
    /// If the payload is not a JSON object with an event type.
    pub fn decode(topic: &str, payload: &[u8]) -> Result<Option<Self>, Error> {
        if topic != RESPONSE_TOPIC {
            return Ok(None);
        }
        let mut fields = Fields::parse(payload)?;
        let kind = fields.lookup(EVENTS).and_then(|read| read(&mut fields)).unwrap_or(FullEventKind::Unknown);
        let event_id = fields.take_string("event_id");
        let session_id = fields.take_string("session_id");
        let source_event_id = fields.take_string("source_event_id");
        let (event_type, rest) = fields.into_parts();
        Ok(Some(Self { kind, event_type, event_id, session_id, source_event_id, rest }))
    }
}
