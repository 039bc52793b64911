//! Events of the avatar.

use serde_json::{Map, Value};

use super::RESPONSE_TOPIC;
use super::elevenlabs::{self, ElevenLabsEvent};
use crate::error::Error;
use crate::realtime::fields::Fields;
use crate::types::SessionEndReason;
use crate::wire::OpenEnum;

/// An event of the avatar.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FullEvent {
    /// What happened.
    pub kind: EventKind,
    /// The kind as it was written.
    pub event_type: String,
    /// The event's own id.
    pub event_id: Option<String>,
    /// The session's id.
    pub session_id: Option<String>,
    /// The id of the command that caused it, if one did.
    pub source_event_id: Option<String>,
    /// Whatever else came with it.
    pub rest: Map<String, Value>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The user's audio begins.
    UserSpeakStarted,
    /// The user's audio ends.
    UserSpeakEnded,
    /// What the user said, in full.
    UserTranscription(String),
    /// What the user said so far.
    UserTranscriptionChunk(String),
    /// What the avatar says: at once for [`SpeakText`](super::Command::SpeakText), else once it is generated.
    AvatarTranscription(String),
    /// What the avatar says, so far.
    AvatarTranscriptionChunk(String),
    /// The avatar starts speaking.
    AvatarSpeakStarted,
    /// The avatar stops speaking.
    AvatarSpeakEnded,
    /// The user's audio is taken from now on.
    PushToTalkStarted,
    /// The start of push-to-talk was refused.
    PushToTalkStartFailed,
    /// The user's audio is no longer taken.
    PushToTalkStopped,
    /// The stop of push-to-talk was refused.
    PushToTalkStopFailed,
    /// The service ended the session.
    SessionStopped(Option<OpenEnum<SessionEndReason>>),
    /// The session changed; what it brings is not documented.
    SessionUpdated,
    /// The session's state changed; what it brings is not documented.
    SessionStateUpdated,
    /// An event of the ElevenLabs agent behind the avatar.
    ElevenLabs(ElevenLabsEvent),
    /// One that this version does not know, or with another payload than it knows; see [`FullEvent::event_type`] and
    /// [`FullEvent::rest`].
    Unknown,
}

type Read = fn(&mut Fields) -> Option<EventKind>;

/// Every event by its documented name.
const EVENTS: &[(&str, Read)] = &[
    ("user.speak_started", |_| Some(EventKind::UserSpeakStarted)),
    ("user.speak_ended", |_| Some(EventKind::UserSpeakEnded)),
    ("user.transcription", |fields| fields.text("text").map(EventKind::UserTranscription)),
    ("user.transcription.chunk", |fields| fields.text("text").map(EventKind::UserTranscriptionChunk)),
    ("avatar.transcription", |fields| fields.text("text").map(EventKind::AvatarTranscription)),
    ("avatar.transcription.chunk", |fields| fields.text("text").map(EventKind::AvatarTranscriptionChunk)),
    ("avatar.speak_started", |_| Some(EventKind::AvatarSpeakStarted)),
    ("avatar.speak_ended", |_| Some(EventKind::AvatarSpeakEnded)),
    ("user.push_to_talk_started", |_| Some(EventKind::PushToTalkStarted)),
    ("user.push_to_talk_start_failed", |_| Some(EventKind::PushToTalkStartFailed)),
    ("user.push_to_talk_stopped", |_| Some(EventKind::PushToTalkStopped)),
    ("user.push_to_talk_stop_failed", |_| Some(EventKind::PushToTalkStopFailed)),
    ("session.stopped", |fields| Some(EventKind::SessionStopped(stop_reason(fields)))),
    ("session.updated", |_| Some(EventKind::SessionUpdated)),
    ("session.state_updated", |_| Some(EventKind::SessionStateUpdated)),
    ("elevenlabs_agent_event", |fields| elevenlabs::event(fields).map(EventKind::ElevenLabs)),
];

/// The official SDK reads the first name, the official guide writes the second.
fn stop_reason(fields: &mut Fields) -> Option<OpenEnum<SessionEndReason>> {
    let reason = fields.text("stop_reason").or_else(|| fields.text("end_reason"))?;
    // An open enum takes any text.
    reason.parse().ok()
}

impl FullEvent {
    /// Reads a packet; none if its topic is not that of events.
    ///
    /// Names are read with dots and underscores in either place, because the service's pages disagree about them.
    ///
    /// # Errors
    /// When the payload is no JSON object that names its kind.
    pub fn decode(topic: &str, payload: &[u8]) -> Result<Option<Self>, Error> {
        if topic != RESPONSE_TOPIC {
            return Ok(None);
        }
        let mut fields = Fields::read(payload)?;
        let kind = fields.find(EVENTS).and_then(|read| read(&mut fields)).unwrap_or(EventKind::Unknown);
        let event_id = fields.text("event_id");
        let session_id = fields.text("session_id");
        let source_event_id = fields.text("source_event_id");
        let (event_type, rest) = fields.into_parts();
        Ok(Some(Self { kind, event_type, event_id, session_id, source_event_id, rest }))
    }
}
