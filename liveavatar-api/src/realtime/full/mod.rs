//! The data channel of a LiveKit room: what FULL sessions and LITE sessions with a connector speak.
//!
//! It is a codec without a connection: a command becomes a [`Packet`], which is published reliably, and a packet that
//! arrived becomes an [`FullEvent`]. With the `livekit` crate, a packet's fields are those of `DataPacket`, which
//! `publish_data` takes; the example `full_events` shows it.
//!
//! ```
//! use liveavatar_api::realtime::full::{Command, FullEvent, EventKind};
//!
//! let packet = Command::SpeakText("Good morning.".into()).packet();
//! assert_eq!(packet.topic, "agent-control");
//!
//! let received = br#"{"event_type": "avatar.transcription", "event_id": "e-17", "text": "Good morning."}"#;
//! let event = FullEvent::decode("agent-response", received)?.expect("the topic is that of events");
//! assert_eq!(event.kind, EventKind::AvatarTranscription("Good morning.".to_owned()));
//! # Ok::<(), liveavatar_api::Error>(())
//! ```

mod command;
mod elevenlabs;
mod event;

pub use command::{Command, Packet, PushToTalk, Received, ReceivedCommand};
pub use elevenlabs::{ElevenLabsCommand, ElevenLabsEvent};
pub use event::{EventKind, FullEvent};

/// The topic of commands, from the client to the avatar (official SDK).
pub const CONTROL_TOPIC: &str = "agent-control";

/// The topic of events, from the avatar to the client (official SDK).
pub const RESPONSE_TOPIC: &str = "agent-response";
