//! Commands and events of the LiveKit data channel.

use liveavatar_api::Uuid;
use liveavatar_api::realtime::full::{
    CONTROL_TOPIC, ElevenLabsCommand, FullCommand, FullEvent, FullEventKind, Packet, PushToTalk,
    RESPONSE_TOPIC, Received, ReceivedCommand,
};
use liveavatar_api::session::FullSession;
use liveavatar_api::types::{AvatarPersona, SessionInteractivityType};
use proptest::prelude::*;
use serde_json::Value;

use super::any_json::any_json;

fn avatar_commands() -> Vec<FullCommand> {
    vec![
        FullCommand::Interrupt,
        FullCommand::SpeakText("Good \"morning\"\n☀".into()),
        FullCommand::SpeakResponse("Who are you?".into()),
        FullCommand::StartListening,
        FullCommand::StopListening,
        FullCommand::StartPushToTalk(PushToTalk::assume_enabled()),
        FullCommand::StopPushToTalk(PushToTalk::assume_enabled()),
    ]
}

fn agent_commands() -> Vec<ElevenLabsCommand> {
    vec![
        ElevenLabsCommand::UserMessage("Hello".into()),
        ElevenLabsCommand::ContextualUpdate("The user opened the cart.".into()),
        ElevenLabsCommand::UserActivity,
        ElevenLabsCommand::ClientToolResult {
            tool_call_id: "call-1".to_owned(),
            result: "42".into(),
            is_error: false,
        },
    ]
}

fn text(packet: &Packet) -> String {
    format!("{} {}", packet.topic, std::str::from_utf8(&packet.payload).unwrap())
}

#[test]
fn commands_encode_to_exact_json() {
    let session = Uuid::from_u128(0x5e55_1001_0000_4000_8000_0000_0000_0001);
    let avatar = avatar_commands().into_iter().flat_map(|command| {
        // The SDK sends no id with some commands.
        let packet = command.packet();
        let random = packet.event_id.as_deref().unwrap_or("none");
        [text(&packet).replace(random, "[id]"), text(&command.packet_with_id("e-1"))]
    });
    let agent = agent_commands().into_iter().map(|command| text(&command.packet_with_id(session, "e-1")));
    insta::assert_snapshot!(avatar.chain(agent).collect::<Vec<_>>().join("\n"));
}

#[test]
fn each_packet_gets_a_new_random_uuid() {
    let id = || FullCommand::StartListening.packet().event_id.unwrap();
    let (one, two) = (id(), id());
    assert_ne!(one, two);
    assert_eq!(one.parse::<Uuid>().unwrap().get_version_num(), 4);
}

#[test]
fn push_to_talk_requires_a_push_to_talk_configuration() {
    let of = |interactivity: Option<SessionInteractivityType>| {
        let full = FullSession::builder().avatar_id(Uuid::nil()).interactivity_type(interactivity);
        let full = full.avatar_persona(AvatarPersona::builder().language("en"));
        PushToTalk::from_configuration(&full.build().unwrap())
    };
    assert_eq!(of(Some(SessionInteractivityType::PushToTalk)), Some(PushToTalk::assume_enabled()));
    assert_eq!(of(Some(SessionInteractivityType::Conversational)), None);
    assert_eq!(of(None), None);
}

#[test]
fn debug_hides_the_text_of_commands() {
    let command = FullCommand::SpeakText("canary-prompt".into());
    let agent = ElevenLabsCommand::UserMessage("canary-prompt".into());
    let shown = format!("{command:?} {:?} {agent:?} {:?}", command.packet(), agent.packet(Uuid::nil()));
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn events_decode_in_every_spelling() {
    let lines = [
        r#"{"event_type":"user.speak_started","event_id":"e","session_id":"s","source_event_id":null}"#,
        r#"{"event_type":"user.speak_ended"}"#,
        r#"{"event_type":"user.transcription","text":"Hi"}"#,
        r#"{"event_type":"user.transcription.chunk","text":"H"}"#,
        r#"{"event_type":"user.transcription_chunk","text":"H"}"#,
        r#"{"event_type":"avatar.transcription","event_id":"e-17","session_id":"s-1","source_event_id":"5d0c","text":"Hi"}"#,
        r#"{"event_type":"avatar.transcription.chunk","text":"H"}"#,
        r#"{"event_type":"avatar.transcription_chunk","text":"H"}"#,
        r#"{"event_type":"avatar.speak_started"}"#,
        r#"{"event_type":"avatar.speak_ended"}"#,
        r#"{"event_type":"user.push_to_talk_started"}"#,
        r#"{"event_type":"user.push_to_talk_start_failed"}"#,
        r#"{"event_type":"user.push_to_talk_stopped"}"#,
        r#"{"event_type":"user.push_to_talk_stop_failed"}"#,
        r#"{"event_type":"session.stopped","stop_reason":"USER_CLOSED"}"#,
        r#"{"event_type":"session.stopped","end_reason":"NEW_REASON"}"#,
        r#"{"event_type":"session_stopped","stop_reason":null}"#,
        r#"{"event_type":"session.updated","extra":[1]}"#,
        r#"{"event_type":"session.state_updated"}"#,
        r#"{"event_type":"elevenlabs_agent_event","elevenlabs_event_type":"vad_score","data":{"score":0.5}}"#,
        r#"{"event_type":"elevenlabs_agent_event","elevenlabs_event_type":"ping"}"#,
        // Unknown payloads and types keep all their fields.
        r#"{"event_type":"avatar.transcription","text":7,"event_id":8}"#,
        r#"{"event_type":"avatar.hologram","strength":3}"#,
        r#"{"type":"avatar.speak_started"}"#,
        // Invalid messages.
        r#"{"text":"no type"}"#,
        r#"{"event_type":7}"#,
        r#"["event_type"]"#,
        "",
        "{\"event_type\":\"user.speak_started\"",
        "nonsense",
    ];
    let decoded = lines.map(|line| match FullEvent::decode(RESPONSE_TOPIC, line.as_bytes()) {
        Ok(event) => format!("{line}\n    {:?}", event.unwrap()),
        Err(error) => format!("{line}\n    {error}"),
    });
    insta::assert_snapshot!(decoded.join("\n"));
}

#[test]
fn packets_on_other_topics_decode_to_none() {
    let event = br#"{"event_type":"user.speak_started"}"#;
    for topic in ["", "lk.chat", CONTROL_TOPIC] {
        assert_eq!(FullEvent::decode(topic, event).unwrap(), None);
    }
    assert_eq!(Received::decode(RESPONSE_TOPIC, event).unwrap(), None);
    assert_eq!(FullEvent::decode("lk.chat", b"not even JSON").unwrap(), None);
}

fn any_avatar_command() -> impl Strategy<Value = FullCommand> {
    (0..avatar_commands().len(), any::<String>()).prop_map(|(at, text)| {
        match avatar_commands().swap_remove(at) {
            FullCommand::SpeakText(_) => FullCommand::SpeakText(text.into()),
            FullCommand::SpeakResponse(_) => FullCommand::SpeakResponse(text.into()),
            other => other,
        }
    })
}

fn any_agent_command() -> impl Strategy<Value = ElevenLabsCommand> {
    (0..4, any::<String>(), any::<String>(), any::<bool>()).prop_map(|(at, text, tool_call_id, is_error)| {
        match at {
            0 => ElevenLabsCommand::UserMessage(text.into()),
            1 => ElevenLabsCommand::ContextualUpdate(text.into()),
            2 => ElevenLabsCommand::UserActivity,
            _ => ElevenLabsCommand::ClientToolResult { tool_call_id, result: text.into(), is_error },
        }
    })
}

proptest! {
    #[test]
    fn any_bytes_decode_or_give_a_clear_error(bytes in any::<Vec<u8>>()) {
        if let Err(error) = FullEvent::decode(RESPONSE_TOPIC, &bytes) {
            prop_assert!(error.to_string().starts_with("the message "), "{error}");
        }
        let _ = Received::decode(CONTROL_TOPIC, &bytes);
    }

    #[test]
    fn any_object_with_a_type_is_an_event_and_keeps_its_fields(name in event_name(), mut fields in any_json()) {
        if let Value::Object(fields) = &mut fields {
            fields.insert("event_type".to_owned(), name.clone().into());
            let before = fields.len();
            let bytes = serde_json::to_vec(fields).unwrap();
            let event = FullEvent::decode(RESPONSE_TOPIC, &bytes).unwrap().unwrap();
            prop_assert_eq!(&event.event_type, &name);
            if event.kind == FullEventKind::Unknown {
                let taken = [&event.event_id, &event.session_id, &event.source_event_id];
                let nulls = ["event_id", "session_id", "source_event_id", "text", "elevenlabs_event_type"];
                let nulls = nulls.iter().filter(|name| fields.get(**name).is_some_and(Value::is_null)).count();
                prop_assert!(event.rest.len() + taken.iter().filter(|it| it.is_some()).count() + nulls + 1 >= before);
            }
            let _ = Received::decode(CONTROL_TOPIC, &bytes).unwrap();
        }
    }

    #[test]
    fn every_command_to_the_avatar_round_trips(command in any_avatar_command(), id in any::<String>()) {
        let packet = command.packet_with_id(id.clone());
        let read = Received::decode(packet.topic, &packet.payload).unwrap().unwrap();
        prop_assert_eq!(read.command, ReceivedCommand::Avatar(command));
        prop_assert_eq!(read.event_id, Some(id));
    }

    #[test]
    fn every_command_to_the_agent_round_trips(command in any_agent_command(), id in any::<String>()) {
        let packet = command.packet_with_id(Uuid::nil(), id.clone());
        let read = Received::decode(packet.topic, &packet.payload).unwrap().unwrap();
        prop_assert_eq!(read.command, ReceivedCommand::ElevenLabs(command));
        prop_assert_eq!(read.event_id, Some(id));
    }
}

fn event_name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("user.transcription".to_owned()),
        Just("avatar.transcription_chunk".to_owned()),
        Just("session.stopped".to_owned()),
        Just("elevenlabs_agent_event".to_owned()),
        Just("elevenlabs_agent_command".to_owned()),
        Just("avatar.speak_text".to_owned()),
        any::<String>(),
    ]
}
