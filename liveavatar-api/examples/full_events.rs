//! The data channel of a FULL session, as it looks with the `livekit` crate: commands out, events in.
//!
//! `cargo run --example full_events`. The crate needs no WebRTC, and so does this example: `livekit` below has the two
//! shapes of that crate that matter, and a room with nobody in it but an avatar that repeats what it is told. With the
//! real crate, `use livekit::prelude::*` takes its place and nothing else changes.

use liveavatar_api::realtime::full::{Command, FullEvent, FullEventKind, Packet};
use livekit::{DataPacket, RoomEvent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut room = livekit::Room::default();

    // `room.local_participant().publish_data(packet).await` with the real crate.
    let hello = Command::SpeakText("Good morning.".into()).packet();
    let asked = hello.event_id.clone();
    room.publish_data(data_packet(hello))?;
    room.publish_data(data_packet(Command::Interrupt.packet()))?;

    while let Some(event) = room.recv() {
        let RoomEvent::DataReceived { payload, topic } = event;
        // Packets on other topics are none of the avatar's, such as those of a chat.
        let Some(event) = FullEvent::decode(topic.as_deref().unwrap_or_default(), &payload)? else {
            continue;
        };
        let ours = event.source_event_id.is_some() && event.source_event_id == asked;
        match event.kind {
            FullEventKind::AvatarTranscription(text) if ours => println!("the avatar says, as asked: {text}"),
            FullEventKind::AvatarTranscription(text) => println!("the avatar says: {text}"),
            FullEventKind::AvatarSpeakEnded => println!("the avatar is silent"),
            FullEventKind::SessionStopped(reason) => println!("the session is over: {reason:?}"),
            // An event that this version does not know has its fields here.
            FullEventKind::Unknown => println!("{}: {:?}", event.event_type, event.rest),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}

/// A packet as `publish_data` takes it; commands are lost without a word unless they are sent reliably.
fn data_packet(packet: Packet) -> DataPacket {
    DataPacket {
        payload: packet.payload,
        topic: Some(packet.topic.to_owned()),
        reliable: true,
        ..DataPacket::default()
    }
}

/// What the `livekit` crate brings.
mod livekit {
    use std::collections::VecDeque;

    use liveavatar_api::realtime::full::{Command, RESPONSE_TOPIC, Received, ReceivedCommand};
    use serde_json::json;

    #[derive(Debug, Default)]
    pub(crate) struct DataPacket {
        pub(crate) payload: Vec<u8>,
        pub(crate) topic: Option<String>,
        pub(crate) reliable: bool,
        #[expect(dead_code, reason = "as in the real shape; nobody else is in this room")]
        pub(crate) destination_identities: Vec<String>,
    }

    #[derive(Debug)]
    pub(crate) enum RoomEvent {
        DataReceived { payload: Vec<u8>, topic: Option<String> },
    }

    /// A room with an avatar in it.
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
                ReceivedCommand::Avatar(Command::SpeakText(text)) if packet.reliable => {
                    say("avatar.transcription", Some(text.expose()));
                    say("avatar.speak_started", None);
                }
                ReceivedCommand::Avatar(Command::Interrupt) => say("avatar.speak_ended", None),
                _ => say("avatar.shrugged", None),
            }
            Ok(())
        }

        pub(crate) fn recv(&mut self) -> Option<RoomEvent> {
            self.0.pop_front()
        }
    }
}
