//! The protocol of FULL sessions on the data channel.

use liveavatar_api::realtime::full::{FullCommand, FullEvent, FullEventKind, PushToTalk};
use serde_json::{Value, json};
use str0m::media::MediaKind;

use crate::harness::{builder, conversation, is_loud, server, start};
use crate::peer::{Event, Path};

#[tokio::test]
async fn a_spoken_text_is_reported_heard_and_seen() {
    let server = server().await;
    let (session, mut peer) = conversation(&server).await;
    peer.command(&FullCommand::SpeakText("Good morning".into()), "c1");
    let (mut events, mut is_seen, mut sound) = (Vec::new(), false, 0);
    while events.len() < 3 {
        match peer.wait_for(Some).await {
            Event::Data { topic, payload, .. } => {
                let event = FullEvent::decode(&topic, &payload).unwrap().unwrap();
                assert_eq!(event.source_event_id.as_deref(), Some("c1"));
                assert_eq!(event.session_id, Some(session.id.to_string()));
                events.push(event.kind);
            }
            Event::Speaking(is_speaking) => is_seen |= is_speaking,
            event => sound += usize::from(is_loud(&event)),
        }
    }
    let expected = [
        FullEventKind::AvatarTranscription("Good morning".to_owned()),
        FullEventKind::AvatarSpeakStarted,
        FullEventKind::AvatarSpeakEnded,
    ];
    assert_eq!(events, expected);
    assert!(is_seen && sound >= 10, "{sound} loud packets");
    let url = format!("{}/v1/sessions/{}/transcript", server.url(), session.id);
    let response = reqwest::Client::new().get(url).header("x-api-key", server.api_key()).send().await;
    let transcript: Value = response.unwrap().json().await.unwrap();
    let lines = &transcript["data"]["transcript_data"];
    assert_eq!((&lines[0]["role"], &lines[0]["transcript"]), (&json!("avatar"), &json!("Good morning")));
    assert_eq!(lines.as_array().unwrap().len(), 1);
    assert_eq!(server.room_activity(session.id).commands, ["avatar.speak_text"]);
}

#[tokio::test]
async fn an_interrupt_stops_sound_and_picture_within_100_ms() {
    let server = server().await;
    let (_, mut peer) = conversation(&server).await;
    peer.command(&FullCommand::SpeakText("interminable ".repeat(60).into()), "c1");
    peer.wait_for_sound().await;
    peer.command(&FullCommand::Interrupt, "c2");
    peer.events_until("avatar.speak_ended").await;
    // Counted and not timed, because the machine may be busy: 100 ms are 5 packets, and 2 frames.
    let (mut packets, mut loud, mut frames, mut is_key_frame) = (0, 0, 0, false);
    while packets < 20 || frames < 4 {
        let event = peer.wait_for(Some).await;
        loud += usize::from(is_loud(&event));
        match event {
            Event::Media { kind: MediaKind::Audio, .. } => packets += 1,
            Event::Media { kind: MediaKind::Video, data, .. } => {
                frames += 1;
                is_key_frame |= frames <= 2 && data[0] & 1 == 0;
            }
            _ => {}
        }
    }
    assert!(loud <= 5, "{loud} loud packets after the interrupt");
    assert!(is_key_frame, "the picture changes");
}

#[tokio::test]
async fn a_response_is_scripted_and_arrives_in_chunks() {
    let server = builder().responses(["It is noon."]).start().await.unwrap();
    let (_, mut peer) = conversation(&server).await;
    peer.command(&FullCommand::SpeakResponse("What time is it?".into()), "c1");
    let seen = peer.events_until("avatar.speak_ended").await;
    let expected =
        ["avatar.transcription.chunk", "avatar.transcription", "avatar.speak_started", "avatar.speak_ended"];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn speech_of_the_user_is_reported_and_answered() {
    let server = server().await;
    let (session, mut peer) = conversation(&server).await;
    // Until the track is negotiated, nothing is sent.
    while server.room_activity(session.id).microphone_packets < 4 {
        peer.speak(vec![0xf8, 0xff, 0xfe], -20);
        tokio::task::yield_now().await;
    }
    let seen = peer.events_until("avatar.speak_ended").await;
    let expected = [
        "user.speak_started",
        "user.speak_ended",
        "user.transcription",
        "avatar.transcription.chunk",
        "avatar.transcription.chunk",
        "avatar.transcription",
        "avatar.speak_started",
        "avatar.speak_ended",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn push_to_talk_needs_a_session_that_uses_it() {
    let server = server().await;
    let commands = [
        FullCommand::StartPushToTalk(PushToTalk::assume_enabled()),
        FullCommand::StopPushToTalk(PushToTalk::assume_enabled()),
    ];
    for (kind, expected) in [
        ("PUSH_TO_TALK", ["user.push_to_talk_started", "user.push_to_talk_stopped"]),
        ("CONVERSATIONAL", ["user.push_to_talk_start_failed", "user.push_to_talk_stop_failed"]),
    ] {
        let fields = json!({ "avatar_persona": {}, "interactivity_type": kind });
        let mut peer = start(&server, "FULL", fields).await.join(Path::Single).await;
        peer.ready().await;
        for (command, expected) in commands.iter().zip(expected) {
            peer.command(command, "c1");
            assert_eq!(peer.next_event().await.event_type, expected);
        }
    }
}
