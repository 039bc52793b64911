//! Commands and events of the LITE socket.

use liveavatar_api::realtime::lite::{LiteCommand, LiteEvent};
use proptest::prelude::*;
use serde_json::Value;

use crate::realtime::any_json::any_json;

#[test]
fn commands_encode_to_exact_json() {
    let commands = [
        LiteCommand::Speak(vec![0, 0, 1, 0, 2, 0, 3, 0].into()),
        LiteCommand::SpeakEnd,
        LiteCommand::Interrupt,
        LiteCommand::StartListening,
        LiteCommand::StopListening,
        LiteCommand::KeepAlive,
    ];
    let lines = commands.map(|command| format!("{command:?} {}", command.encode("e-1")));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Speak(8 bytes) {"audio":"AAABAAIAAwA=","event_id":"e-1","type":"agent.speak"}
    SpeakEnd {"event_id":"e-1","type":"agent.speak_end"}
    Interrupt {"event_id":"e-1","type":"agent.interrupt"}
    StartListening {"event_id":"e-1","type":"agent.start_listening"}
    StopListening {"event_id":"e-1","type":"agent.stop_listening"}
    KeepAlive {"event_id":"e-1","type":"session.keep_alive"}
    "#);
}

#[test]
fn events_decode_in_every_spelling() {
    let lines = [
        r#"{"type":"session.state_updated","state":"connected"}"#,
        r#"{"type":"session.state_updated","state":"disconnected"}"#,
        r#"{"type":"session.state_updated","state":"paused"}"#,
        r#"{"type":"session.state_updated"}"#,
        r#"{"type":"agent.speak_started","event_id":"utt-7","task":{"id":"task-1"}}"#,
        r#"{"type":"agent.speak_ended","event_id":"s-1","source_event_id":"utt-7"}"#,
        r#"{"type":"agent.speak_interrupted","task_id":"task-1"}"#,
        r#"{"type":"agent.state_updated","previous_state":"idle","new_state":"talking"}"#,
        r#"{"type":"agent.state_updated","new_state":"dancing"}"#,
        r#"{"type":"agent.audio_buffer_appended"}"#,
        r#"{"type":"agent.audio_buffer_committed"}"#,
        r#"{"type":"agent.audio_buffer_cleared"}"#,
        r#"{"type":"agent_speak_ended"}"#,
        r#"{"event_type":"agent.speak_ended"}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"no","event_id":"utt-7"}}"#,
        r#"{"type":"error","error":"in words"}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"error","message":"next to it","code":7}"#,
        r#"{"type":"error","error":{"type":"server_error"},"message":"next to it"}"#,
        r#"{"type":"error","error":{"type":"of_the_future","message":null}}"#,
        r#"{"type":"warning","message":"next to it"}"#,
        r#"{"type":"session.stopped","stop_reason":"NO_CREDITS"}"#,
        r#"{"type":"session_stopped","end_reason":"OF_THE_FUTURE"}"#,
        r#"{"type":"session.stopped"}"#,
        r#"{"type":"agent.idle_started"}"#,
        r#"{"type":"agent_idle_ended"}"#,
        r#"{"type":"warning","warning":{"type":"late","message":"hurry"}}"#,
        r#"{"type":"agent.idle_started","task":"not an object"}"#,
        r"{}",
        "[]",
        "hello",
    ];
    let decoded = lines.map(|line| match LiteEvent::decode(line.as_bytes()) {
        Ok(event) => format!("{line}\n    {event:?}"),
        Err(error) => format!("{line}\n    {error}"),
    });
    insta::assert_snapshot!(decoded.join("\n"));
}

fn any_command() -> impl Strategy<Value = LiteCommand> {
    prop_oneof![
        any::<Vec<u8>>().prop_map(|pcm| LiteCommand::Speak(pcm.into())),
        Just(LiteCommand::SpeakEnd),
        Just(LiteCommand::Interrupt),
        Just(LiteCommand::StartListening),
        Just(LiteCommand::StopListening),
        Just(LiteCommand::KeepAlive),
    ]
}

proptest! {
    #[test]
    fn any_bytes_decode_or_give_a_clear_error(bytes in any::<Vec<u8>>()) {
        if let Err(error) = LiteEvent::decode(&bytes) {
            prop_assert!(error.to_string().starts_with("the message "), "{error}");
        }
        let _ = LiteCommand::decode(&bytes);
    }

    #[test]
    fn any_object_with_a_type_is_an_event(name in 0..12_usize, other in any::<String>(), mut fields in any_json()) {
        let names = [
            "session.state_updated", "agent.speak_started", "agent.speak_ended", "agent.state_updated", "error",
            "warning", "agent.speak", "agent_speak_end",
        ];
        if let Value::Object(fields) = &mut fields {
            fields.insert("type".to_owned(), names.get(name).map_or(other, |it| (*it).to_owned()).into());
            let bytes = serde_json::to_vec(fields).unwrap();
            LiteEvent::decode(&bytes).unwrap();
            LiteCommand::decode(&bytes).unwrap();
        }
    }

    #[test]
    fn every_command_round_trips(command in any_command(), id in any::<String>()) {
        let text = command.encode(&id);
        prop_assert_eq!(LiteCommand::decode(text.as_bytes()).unwrap(), (Some(command), Some(id)));
    }
}
