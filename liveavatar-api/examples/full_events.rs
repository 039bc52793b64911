//! Sends commands and receives events over the data channel of a FULL session.
//!
//! Run it with `cargo run --example full_events`. To avoid a dependency on WebRTC, the `livekit` module below imitates two types
//! of the `livekit` crate, and a room with an avatar that repeats each text. To use the real crate, replace the module by
//! `use livekit::prelude::*`.

use liveavatar_api::realtime::full::{FullCommand, FullEvent, FullEventKind, Packet};
use livekit::{DataPacket, RoomEvent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut room = livekit::Room::default();

    // With the real crate: `room.local_participant().publish_data(packet).await`.
    let hello = FullCommand::SpeakText("Good morning.".into()).packet();
    let hello_id = hello.event_id.clone();
    room.publish_data(data_packet(hello))?;
    room.publish_data(data_packet(FullCommand::Interrupt.packet()))?;

    while let Some(event) = room.recv() {
        let RoomEvent::DataReceived { payload, topic } = event;
        // Other topics, such as a chat, do not carry avatar events.
        let Some(event) = FullEvent::decode(topic.as_deref().unwrap_or_default(), &payload)? else {
            continue;
        };
        let is_hello = event.source_event_id.is_some() && event.source_event_id == hello_id;
        match event.kind {
            FullEventKind::AvatarTranscription(text) if is_hello => println!("the avatar repeats: {text}"),
            FullEventKind::AvatarTranscription(text) => println!("the avatar says: {text}"),
            FullEventKind::AvatarSpeakEnded => println!("the avatar has finished speaking"),
            FullEventKind::SessionStopped(reason) => println!("the session has ended: {reason:?}"),
            // The fields of an event that this version does not know.
            FullEventKind::Unknown => println!("{}: {:?}", event.event_type, event.rest),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}

/// Converts a packet for `publish_data`. Commands must be sent reliably, or the service may drop them silently.
fn data_packet(packet: Packet) -> DataPacket {
    DataPacket {
        payload: packet.payload,
        topic: Some(packet.topic.to_owned()),
        reliable: true,
        ..DataPacket::default()
    }
}

/// Imitates the `livekit` crate.
mod livekit {
    use std::collections::VecDeque;

    use liveavatar_api::realtime::full::{FullCommand, RESPONSE_TOPIC, Received, ReceivedCommand};
    use serde_json::json;

    #[derive(Debug, Default)]
    pub(crate) struct DataPacket {
        pub(crate) payload: Vec<u8>,
        pub(crate) topic: Option<String>,
        pub(crate) reliable: bool,
        #[expect(dead_code, reason = "the real type has this field")]
        pub(crate) destination_identities: Vec<String>,
    }

    #[derive(Debug)]
    pub(crate) enum RoomEvent {
        DataReceived { payload: Vec<u8>, topic: Option<String> },
    }

    /// A room with an avatar.
    #[derive(Default)]
    pub(crate) struct Room(VecDeque<RoomEvent>);

    impl Room {
        pub(crate) fn publish_data(&mut self, packet: DataPacket) -> Result<(), liveavatar_api::Error> {
            let topic = packet.topic.unwrap_or_default();
            let Some(Received { event_id, command, .. }) = Received::decode(&topic, &packet.payload)? else {
                return Ok(());
            };
            let mut say = |kind: &str, text: Option<&str>| {
                let event = json!({ "event_type": kind, "source_event_id": event_id, "text": text });
                let payload = event.to_string().into_bytes();
                self.0.push_back(RoomEvent::DataReceived { payload, topic: Some(RESPONSE_TOPIC.to_owned()) });
            };
            match command {
                ReceivedCommand::Avatar(FullCommand::SpeakText(text)) if packet.reliable => {
                    say("avatar.transcription", Some(text.expose()));
                    say("avatar.speak_started", None);
                }
                ReceivedCommand::Avatar(FullCommand::Interrupt) => say("avatar.speak_ended", None),
                _ => say("avatar.shrugged", None),
            }
            Ok(())
        }

        pub(crate) fn recv(&mut self) -> Option<RoomEvent> {
            self.0.pop_front()
        }
    }
}
