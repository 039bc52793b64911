//! Commands and events on the data channel of a LiveKit room.
//!
//! FULL sessions use it, and LITE sessions with a connector. This module is a codec without a connection: it encodes a command as
//! a [`Packet`], which you publish reliably, and decodes a received packet as a [`FullEvent`]. With the `livekit` crate, copy the
//! packet's fields into a `DataPacket` for `publish_data`; see the example `full_events`.
//!
//! ```
//! use liveavatar_api::realtime::full::{FullCommand, FullEvent, FullEventKind};
//!
//! let packet = FullCommand::SpeakText("Good morning.".into()).packet();
//! assert_eq!(packet.topic, "agent-control");
//!
//! let received = br#"{"event_type": "avatar.transcription", "event_id": "e-17", "text": "Good morning."}"#;
//! let event = FullEvent::decode("agent-response", received)?.expect("the topic of events");
//! assert_eq!(event.kind, FullEventKind::AvatarTranscription("Good morning.".to_owned()));
//! # Ok::<(), liveavatar_api::Error>(())
//! ```

mod command;
mod elevenlabs;
mod event;
mod packet;
mod received;

pub use command::{FullCommand, PushToTalk};
pub use elevenlabs::{ElevenLabsCommand, ElevenLabsEvent};
pub use event::{FullEvent, FullEventKind, RESPONSE_TOPIC};
pub use packet::{CONTROL_TOPIC, Packet};
pub use received::{Received, ReceivedCommand};
