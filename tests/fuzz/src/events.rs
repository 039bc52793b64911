//! Events and commands of the LITE socket and of the FULL data channel.

use liveavatar_api::realtime::full::{self, CONTROL_TOPIC, RESPONSE_TOPIC, ReceivedCommand};
use liveavatar_api::realtime::lite;
use liveavatar_api::{Error, Uuid};
use serde_json::Value;

/// The same JSON as serde writes it.
fn reserialized(input: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<Value>(input).ok().map(|value| value.to_string().into_bytes())
}

fn check_no_secret(error: &Error) {
    let shown = format!("{error}\n{error:?}");
    assert!(!shown.contains("canary"), "the error repeats the message: {shown}");
}

/// Decodes a frame of the LITE socket.
pub fn socket_events(input: &[u8]) {
    match (lite::LiteEvent::decode(input), reserialized(input)) {
        (Ok(event), Some(same)) => assert_eq!(lite::LiteEvent::decode(&same).ok(), Some(event)),
        (Ok(event), None) => panic!("an event from invalid JSON: {event:?}"),
        (Err(error), _) => check_no_secret(&error),
    }
    match lite::LiteCommand::decode(input) {
        Ok((Some(command), id)) => {
            let id = id.unwrap_or_default();
            let (decoded, decoded_id) = lite::LiteCommand::decode(command.encode(&id).as_bytes())
                .expect("an encoded command is valid");
            assert_eq!((decoded, decoded_id), (Some(command), Some(id)));
        }
        Ok((None, _)) => {}
        Err(error) => check_no_secret(&error),
    }
}

/// Decodes a packet of the FULL data channel, on both topics.
pub fn channel_events(input: &[u8]) {
    let decode = |payload: &[u8]| full::FullEvent::decode(RESPONSE_TOPIC, payload);
    match (decode(input), reserialized(input)) {
        (Ok(event), Some(same)) => assert_eq!(decode(&same).ok(), Some(event)),
        (Ok(event), None) => panic!("an event from invalid JSON: {event:?}"),
        (Err(error), _) => check_no_secret(&error),
    }
    let received = match full::Received::decode(CONTROL_TOPIC, input) {
        Ok(received) => received.expect("the control topic carries commands"),
        Err(error) => return check_no_secret(&error),
    };
    let id = received.event_id.clone().unwrap_or_default();
    let packet = match &received.command {
        ReceivedCommand::Avatar(command) => command.packet_with_id(&id),
        ReceivedCommand::ElevenLabs(command) => command.packet_with_id(Uuid::nil(), &id),
        _ => return,
    };
    let decoded = full::Received::decode(packet.topic, &packet.payload)
        .expect("an encoded packet is valid")
        .expect("a known topic");
    assert_eq!((decoded.command, decoded.event_id), (received.command, Some(id)));
}
