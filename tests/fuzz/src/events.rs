//! What comes in from the socket of a LITE session and from the data channel of a FULL one, and goes out to them.

use liveavatar_api::realtime::full::{self, CONTROL_TOPIC, RESPONSE_TOPIC, ReceivedCommand};
use liveavatar_api::realtime::lite;
use liveavatar_api::{Error, Uuid};
use serde_json::Value;

/// The same JSON in serde's own spelling.
fn respelt(input: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<Value>(input).ok().map(|value| value.to_string().into_bytes())
}

fn check_silent(error: &Error) {
    let shown = format!("{error}\n{error:?}");
    assert!(!shown.contains("canary"), "an error repeats the message: {shown}");
}

/// A frame of the socket: an event is the same in any spelling of its JSON, a command goes out as it came in.
pub fn socket_events(input: &[u8]) {
    match (lite::LiteEvent::decode(input), respelt(input)) {
        (Ok(event), Some(respelt)) => assert_eq!(lite::LiteEvent::decode(&respelt).ok(), Some(event)),
        (Ok(event), None) => panic!("read from what is no JSON: {event:?}"),
        (Err(error), _) => check_silent(&error),
    }
    match lite::Command::decode(input) {
        Ok((Some(command), id)) => {
            let id = id.unwrap_or_default();
            let (again, same) =
                lite::Command::decode(command.encode(&id).as_bytes()).expect("our own command");
            assert_eq!((again, same), (Some(command), Some(id)));
        }
        Ok((None, _)) => {}
        Err(error) => check_silent(&error),
    }
}

/// A packet of the data channel, on either topic.
pub fn channel_events(input: &[u8]) {
    let event = |payload: &[u8]| full::FullEvent::decode(RESPONSE_TOPIC, payload);
    match (event(input), respelt(input)) {
        (Ok(read), Some(respelt)) => assert_eq!(event(&respelt).ok(), Some(read)),
        (Ok(read), None) => panic!("read from what is no JSON: {read:?}"),
        (Err(error), _) => check_silent(&error),
    }
    let received = match full::Received::decode(CONTROL_TOPIC, input) {
        Ok(received) => received.expect("the topic is that of commands"),
        Err(error) => return check_silent(&error),
    };
    let id = received.event_id.clone().unwrap_or_default();
    let packet = match &received.command {
        ReceivedCommand::Avatar(command) => command.packet_with_id(&id),
        ReceivedCommand::ElevenLabs(command) => command.packet_with_id(Uuid::nil(), &id),
        _ => return,
    };
    let again =
        full::Received::decode(packet.topic, &packet.payload).expect("our own packet").expect("our topic");
    assert_eq!((again.command, again.event_id), (received.command, Some(id)));
}
