//! The protocol of FULL sessions on the data channel: commands, events and speech.
//!
//! It decides what happens. The avatar speaks and sends.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use liveavatar_api::realtime::full::{ElevenLabsCommand, FullCommand, Received, ReceivedCommand};

use super::voice::{Source, VoiceEvent};

/// Words in one chunk of a transcription.
const CHUNK_WORDS: usize = 4;

/// What the avatar has to do.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// Send this event.
    Send(Value),
    /// Speak a text, for a command with this id.
    Speak(String, Option<String>),
    /// Drop everything that is queued.
    Interrupt,
    /// Add a line to the transcript.
    Write(&'static str, String),
}

/// How the session was configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConversationTerms {
    pub(super) session: Uuid,
    pub(super) uses_push_to_talk: bool,
    pub(super) has_connector: bool,
}

pub(super) struct Conversation {
    terms: ConversationTerms,
    /// What the avatar answers, one after the other; empty for an echo.
    responses: Vec<String>,
    /// Number of responses so far.
    responded: usize,
    /// Number of utterances of the user so far.
    heard: usize,
    /// Numbers the events.
    events: u32,
    /// With push-to-talk: whether the user's audio is taken, and whether the user has spoken since then.
    is_taking_audio: bool,
    has_spoken: bool,
    is_user_speaking: bool,
    pub(super) actions: Vec<Action>,
}

impl Conversation {
    pub(super) fn new(terms: ConversationTerms, responses: Vec<String>) -> Conversation {
        Conversation {
            terms,
            responses,
            responded: 0,
            heard: 0,
            events: 0,
            is_taking_audio: false,
            has_spoken: false,
            is_user_speaking: false,
            actions: Vec::new(),
        }
    }

    /// Returns whether the user's audio is taken.
    pub(super) fn listens(&self) -> bool {
        self.is_taking_audio || !self.terms.uses_push_to_talk
    }

    pub(super) fn handle(&mut self, received: Received) {
        let id = received.event_id;
        match received.command {
            ReceivedCommand::Avatar(FullCommand::Interrupt) => self.actions.push(Action::Interrupt),
            // An agent decides for itself what it says (official SDK).
            ReceivedCommand::Avatar(FullCommand::SpeakText(_) | FullCommand::SpeakResponse(_))
                if self.terms.has_connector => {}
            ReceivedCommand::Avatar(FullCommand::SpeakText(text)) => self.speak(text.expose(), id, false),
            ReceivedCommand::Avatar(FullCommand::SpeakResponse(text)) => self.respond(text.expose(), id),
            ReceivedCommand::Avatar(FullCommand::StartPushToTalk(_)) => {
                let is_accepted = self.terms.uses_push_to_talk && !self.is_taking_audio;
                let events = ["user.push_to_talk_start_failed", "user.push_to_talk_started"];
                self.event(events[usize::from(is_accepted)], id.as_deref(), []);
                if is_accepted {
                    (self.is_taking_audio, self.has_spoken) = (true, false);
                }
            }
            ReceivedCommand::Avatar(FullCommand::StopPushToTalk(_)) => {
                if std::mem::take(&mut self.is_user_speaking) {
                    self.event("user.speak_ended", None, []);
                }
                let events = ["user.push_to_talk_stop_failed", "user.push_to_talk_stopped"];
                self.event(events[usize::from(self.is_taking_audio)], id.as_deref(), []);
                if std::mem::take(&mut self.is_taking_audio) && std::mem::take(&mut self.has_spoken) {
                    self.recognise(true);
                }
            }
            ReceivedCommand::ElevenLabs(ElevenLabsCommand::UserMessage(text)) if self.terms.has_connector => {
                self.respond(text.expose(), id);
            }
            // The listening pose is not visible, and the service drops what it does not know.
            _ => {}
        }
    }

    /// The user begins to speak.
    pub(super) fn user_started(&mut self) {
        (self.has_spoken, self.is_user_speaking) = (true, true);
        self.event("user.speak_started", None, []);
    }

    /// The user has stopped speaking; the avatar answers if it is silent.
    pub(super) fn user_ended(&mut self, is_avatar_silent: bool) {
        self.is_user_speaking = false;
        self.event("user.speak_ended", None, []);
        if !self.terms.uses_push_to_talk {
            self.recognise(is_avatar_silent);
        }
    }

    /// Recognises what the user said, of which the mock knows only that it was said.
    fn recognise(&mut self, is_answered: bool) {
        self.heard += 1;
        let text = format!("User utterance {}", self.heard);
        self.event("user.transcription", None, [("text", json!(text))]);
        if is_answered {
            self.respond(&text, None);
        } else {
            self.actions.push(Action::Write("user", text));
        }
    }

    fn respond(&mut self, text: &str, id: Option<String>) {
        self.actions.push(Action::Write("user", text.to_owned()));
        let scripted = self.responses.get(self.responded % self.responses.len().max(1));
        let response = scripted.cloned().unwrap_or_else(|| format!("You said: {text}"));
        self.responded += 1;
        self.speak(&response, id, true);
    }

    fn speak(&mut self, text: &str, id: Option<String>, is_generated: bool) {
        if is_generated {
            let words: Vec<&str> = text.split_whitespace().collect();
            for chunk in words.chunks(CHUNK_WORDS) {
                let chunk = json!(chunk.join(" "));
                self.event("avatar.transcription.chunk", id.as_deref(), [("text", chunk)]);
            }
        }
        self.event("avatar.transcription", id.as_deref(), [("text", json!(text))]);
        self.actions.push(Action::Write("avatar", text.to_owned()));
        self.actions.push(Action::Speak(text.to_owned(), id));
    }

    /// Reports what the voice does.
    pub(super) fn voice(&mut self, event: &VoiceEvent) {
        let (event_type, source) = match event {
            VoiceEvent::Started(source) => ("avatar.speak_started", source),
            VoiceEvent::Ended(source) => ("avatar.speak_ended", source),
        };
        // Events of the command socket are sent there.
        if let Source::Text(id) = source {
            self.event(event_type, id.as_deref(), []);
        }
    }

    pub(super) fn session_stopped(&mut self, reason: &str) {
        self.event("session.stopped", None, [("stop_reason", json!(reason))]);
    }

    fn event<const N: usize>(&mut self, event_type: &str, source: Option<&str>, fields: [(&str, Value); N]) {
        self.events += 1;
        let envelope = [
            ("event_type", json!(event_type)),
            ("event_id", json!(format!("mock-event-{}", self.events))),
            ("session_id", json!(self.terms.session)),
            ("source_event_id", json!(source)),
        ];
        let fields = envelope.into_iter().chain(fields).map(|(name, value)| (name.to_owned(), value));
        self.actions.push(Action::Send(Value::Object(fields.collect::<Map<_, _>>())));
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Conversation, ConversationTerms};
    use liveavatar_api::realtime::full::{FullCommand, PushToTalk, Received};
    use uuid::Uuid;

    const TERMS: ConversationTerms =
        ConversationTerms { session: Uuid::nil(), uses_push_to_talk: false, has_connector: false };

    fn send(conversation: &mut Conversation, command: &FullCommand) -> Vec<String> {
        let packet = command.packet_with_id("c1");
        conversation.handle(Received::decode(packet.topic, &packet.payload).unwrap().unwrap());
        seen(conversation)
    }

    fn seen(conversation: &mut Conversation) -> Vec<String> {
        let show = |action| match action {
            Action::Send(event) => match event["text"].as_str() {
                Some(text) => format!("{} {text}", event["event_type"].as_str().unwrap()),
                None => event["event_type"].as_str().unwrap().to_owned(),
            },
            Action::Speak(text, id) => format!("speak {text} for {id:?}"),
            Action::Interrupt => "interrupt".to_owned(),
            Action::Write(role, text) => format!("{role}: {text}"),
        };
        std::mem::take(&mut conversation.actions).into_iter().map(show).collect()
    }

    #[test]
    fn responses_come_from_the_script_in_turn() {
        let responses = vec!["One two three four five".to_owned(), "Six".to_owned()];
        let mut conversation = Conversation::new(TERMS, responses);
        let first = send(&mut conversation, &FullCommand::SpeakResponse("Hello".into()));
        let expected = [
            "user: Hello",
            "avatar.transcription.chunk One two three four",
            "avatar.transcription.chunk five",
            "avatar.transcription One two three four five",
            "avatar: One two three four five",
            "speak One two three four five for Some(\"c1\")",
        ];
        assert_eq!(first, expected);
        let mut last = || send(&mut conversation, &FullCommand::SpeakResponse("Hello".into())).pop().unwrap();
        assert_eq!([last(), last()].map(|it| it.contains("Six")), [true, false]);
    }

    #[test]
    fn push_to_talk_takes_audio_only_between_its_commands() {
        let start = FullCommand::StartPushToTalk(PushToTalk::assume_enabled());
        let stop = FullCommand::StopPushToTalk(PushToTalk::assume_enabled());
        let terms = ConversationTerms { uses_push_to_talk: true, ..TERMS };
        let mut conversation = Conversation::new(terms, vec!["Fine".to_owned()]);
        assert!(!conversation.listens());
        assert_eq!(send(&mut conversation, &stop), ["user.push_to_talk_stop_failed"]);
        assert_eq!(send(&mut conversation, &start), ["user.push_to_talk_started"]);
        assert!(conversation.listens());
        assert_eq!(send(&mut conversation, &start), ["user.push_to_talk_start_failed"]);
        conversation.user_started();
        conversation.user_ended(true);
        conversation.user_started();
        assert_eq!(seen(&mut conversation), ["user.speak_started", "user.speak_ended", "user.speak_started"]);
        let answered = send(&mut conversation, &stop);
        let expected =
            ["user.speak_ended", "user.push_to_talk_stopped", "user.transcription User utterance 1"];
        assert_eq!(answered[..3], expected);
        assert_eq!(answered.last().unwrap(), "speak Fine for None");
        let mut other = Conversation::new(TERMS, Vec::new());
        assert_eq!(send(&mut other, &start), ["user.push_to_talk_start_failed"]);
    }

    #[test]
    fn a_session_with_a_connector_does_not_speak_texts() {
        let terms = ConversationTerms { has_connector: true, ..TERMS };
        let mut conversation = Conversation::new(terms, Vec::new());
        assert!(send(&mut conversation, &FullCommand::SpeakText("Hello".into())).is_empty());
        assert_eq!(send(&mut conversation, &FullCommand::Interrupt), ["interrupt"]);
    }
}
