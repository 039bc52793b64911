//! The avatar of a session in its room: publishes picture and voice, and takes part in the conversation.

use std::sync::Arc;
use std::time::Duration;

use livekit_protocol as proto;
use livekit_token::Claims;
use proto::participant_info::Kind;
use proto::signal_response::Message as Response;
use serde_json::Value;
use str0m::media::{Frequency, MediaKind, MediaTime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::Context;
use super::clip::{self, Picture};
use super::conversation::{Action, Conversation, ConversationTerms};
use super::members::{Media, Room, ToAvatar, participant};
use super::microphone::Microphone;
use super::voice::{PACKET, Sound, Voice, VoiceEvent};
use crate::journal::{Channel, Direction};
use crate::playback;
use crate::state::lock;
use liveavatar_api::realtime::full::{RESPONSE_TOPIC, Received};

/// The identity of the avatar in a room of the service (official SDK).
const IDENTITY: &str = "heygen";
/// The identity of the conversation worker, without the session's id (official SDK).
const AGENT: &str = "liveavatar-agent-";
const LOUDNESS: f32 = 0.8;
/// Time from the last event to the end of the room, after which clients do not read events any more.
const STOP_NOTICE: Duration = Duration::from_millis(100);

/// What the avatar needs to know of its session.
pub(super) struct AvatarTerms {
    pub(super) session: Uuid,
    /// The name of its room.
    pub(super) room: String,
    pub(super) is_full: bool,
    pub(super) has_connector: bool,
    pub(super) uses_push_to_talk: bool,
    /// Of the token for a room of the caller.
    pub(super) claims: Option<Claims>,
}

struct Avatar {
    context: Arc<Context>,
    room: Arc<Room>,
    session: Uuid,
    /// The sids of the avatar and its tracks.
    sid: String,
    audio: String,
    video: String,
    /// Whether the data channel has commands and events.
    has_data: bool,
    conversation: Conversation,
    voice: Voice,
    picture: Picture,
    microphone: Microphone,
    was_speaking: bool,
    /// When the first packet was sent, and how many packets and frames were sent since then.
    start: Instant,
    packets: u32,
    frames: u32,
}

/// Lets the avatar in, unless it is late; the future runs it until its session ends.
pub(super) fn run(
    context: Arc<Context>,
    room: Arc<Room>,
    terms: AvatarTerms,
    inputs: UnboundedReceiver<ToAvatar>,
) -> impl Future<Output = ()> + Send {
    if terms.is_full {
        let identity = format!("{AGENT}{}", terms.session);
        room.enter(participant(room.new_sid("PA"), &identity, Kind::Agent), None);
    }
    let delay = lock(&context.faults).avatar_delay;
    let mut avatar = Avatar::new(context, room, &terms);
    if delay.is_zero() {
        avatar.enter(terms.claims.clone());
    }
    serve(avatar, delay, terms.claims, inputs)
}

async fn serve(
    mut avatar: Avatar,
    delay: Duration,
    claims: Option<Claims>,
    mut inputs: UnboundedReceiver<ToAvatar>,
) {
    let clock = avatar.context.clock.clone();
    let mut clock_changes = clock.subscribe();
    if !delay.is_zero() {
        let mut late = std::pin::pin!(clock.sleep(delay));
        loop {
            tokio::select! {
                () = &mut late => break,
                input = inputs.recv() => match input {
                    Some(ToAvatar::SessionEnded(reason)) => return avatar.end(&reason).await,
                    Some(_) => {}
                    None => return,
                },
            }
        }
        avatar.enter(claims);
    }
    let mut offset = *clock_changes.borrow_and_update();
    loop {
        let due = avatar.next_due();
        tokio::select! {
            input = inputs.recv() => match input {
                Some(ToAvatar::SessionEnded(reason)) => return avatar.end(&reason).await,
                Some(input) => avatar.handle(input),
                None => return,
            },
            Ok(()) = clock_changes.changed() => {
                let now = *clock_changes.borrow_and_update();
                avatar.skip(now.saturating_sub(std::mem::replace(&mut offset, now)));
            }
            () = sleep_until(due) => avatar.publish(),
        }
    }
}

impl Avatar {
    fn new(context: Arc<Context>, room: Arc<Room>, terms: &AvatarTerms) -> Avatar {
        let AvatarTerms { session, uses_push_to_talk, has_connector, .. } = *terms;
        let conversation = ConversationTerms { session, uses_push_to_talk, has_connector };
        Avatar {
            session,
            sid: room.new_sid("PA"),
            audio: room.new_sid("TR"),
            video: room.new_sid("TR"),
            has_data: terms.is_full || has_connector,
            conversation: Conversation::new(conversation, context.settings.responses.clone()),
            voice: Voice::new(),
            picture: Picture::default(),
            microphone: Microphone::default(),
            was_speaking: false,
            start: Instant::now(),
            packets: 0,
            frames: 0,
            context,
            room,
        }
    }

    fn enter(&mut self, claims: Option<Claims>) {
        let track = |sid: &str, kind: proto::TrackType, source: proto::TrackSource, mime_type: &str| {
            let mime_type = mime_type.to_owned();
            proto::TrackInfo {
                sid: sid.to_owned(),
                r#type: kind.into(),
                source: source.into(),
                name: sid.to_owned(),
                mime_type,
                stream: "camera".to_owned(),
                ..Default::default()
            }
        };
        let audio = proto::TrackSource::Microphone;
        let picture = track(&self.video, proto::TrackType::Video, proto::TrackSource::Camera, "video/VP8");
        let tracks = vec![
            track(&self.audio, proto::TrackType::Audio, audio, "audio/opus"),
            proto::TrackInfo { width: clip::WIDTH, height: clip::HEIGHT, ..picture },
        ];
        let mut info = participant(self.sid.clone(), IDENTITY, Kind::Standard);
        if let Some(claims) = claims {
            info.kind = if claims.kind == "agent" { Kind::Agent.into() } else { info.kind };
            (info.identity, info.name) = (claims.sub, claims.name);
            (info.metadata, info.attributes) = (claims.metadata, claims.attributes);
        }
        (info.is_publisher, info.tracks) = (true, tracks);
        self.room.enter(info, None);
        self.start = Instant::now();
    }

    /// The session has ended.
    async fn end(mut self, reason: &str) {
        if self.has_data && self.room.has_connections() {
            self.conversation.session_stopped(reason);
            self.act();
            sleep(STOP_NOTICE).await;
        }
        self.room.close(proto::DisconnectReason::RoomDeleted);
    }

    fn handle(&mut self, input: ToAvatar) {
        match input {
            ToAvatar::Data { topic, payload } if self.has_data => {
                let text = String::from_utf8_lossy(&payload).into_owned();
                let journal = &self.context.journal;
                journal.frame(self.session, Channel::Room, Direction::FromClient, text, payload.len());
                let Ok(Some(received)) = Received::decode(&topic, &payload) else { return };
                let fields: Value = serde_json::from_slice(&payload).unwrap_or_default();
                self.room.record_command(fields["event_type"].as_str().unwrap_or_default());
                let _ = lock(&self.context.state).sessions.keep_alive(self.session);
                self.conversation.handle(received);
                if !self.conversation.listens() {
                    self.microphone = Microphone::default();
                }
            }
            ToAvatar::Microphone { level, bytes } if self.has_data && self.conversation.listens() => {
                if self.microphone.hear(level, bytes, Instant::now()) {
                    self.conversation.user_started();
                }
            }
            ToAvatar::KeyFrameWanted => self.picture.restart(),
            ToAvatar::Sound(sound) => match sound {
                playback::Sound::Audio(number, pcm) => self.voice.append(number, &pcm),
                playback::Sound::Started(number) => self.voice.start(number),
                playback::Sound::Ended(number) => self.voice.end(number),
                playback::Sound::Interrupted => drop(self.voice.interrupt()),
            },
            ToAvatar::Data { .. } | ToAvatar::Microphone { .. } | ToAvatar::SessionEnded(_) => {}
        }
        self.act();
        self.show_speaking();
    }

    /// Does what the conversation wants.
    fn act(&mut self) {
        let actions = std::mem::take(&mut self.conversation.actions);
        for action in actions {
            match action {
                Action::Send(event) => {
                    let (text, journal) = (event.to_string(), &self.context.journal);
                    let bytes = text.len();
                    journal.frame(self.session, Channel::Room, Direction::ToClient, text.clone(), bytes);
                    self.room.send_event(&self.sid, RESPONSE_TOPIC, text.into_bytes());
                }
                Action::Speak(text, id) => self.voice.say(&text, id),
                Action::Interrupt => {
                    if let Some(source) = self.voice.interrupt() {
                        self.conversation.voice(&VoiceEvent::Ended(source));
                        self.act();
                    }
                }
                Action::Write(role, text) => {
                    lock(&self.context.state).sessions.say(self.session, role, &text);
                }
            }
        }
    }

    /// Shows whether the avatar speaks.
    fn show_speaking(&mut self) {
        let is_speaking = self.voice.is_speaking();
        if is_speaking != std::mem::replace(&mut self.was_speaking, is_speaking) {
            self.picture.set_talking(is_speaking);
            let level = if is_speaking { LOUDNESS } else { 0.0 };
            let speaker = proto::SpeakerInfo { sid: self.sid.clone(), level, active: is_speaking };
            self.room.signal(&Response::SpeakersChanged(proto::SpeakersChanged { speakers: vec![speaker] }));
        }
    }

    fn next_due(&self) -> Instant {
        (self.start + PACKET * self.packets).min(self.start + clip::FRAME * self.frames)
    }

    /// Sends the packets and frames that are due.
    fn publish(&mut self) {
        let now = Instant::now();
        let is_heard = self.room.has_connections();
        if self.microphone.has_ended(now) {
            self.conversation.user_ended(self.voice.is_idle());
            self.act();
        }
        while self.start + PACKET * self.packets <= now {
            let mut events = Vec::new();
            let sound = if is_heard {
                let sound = self.voice.next(&mut events);
                if lock(&self.context.faults).is_silent { self.voice.silence() } else { sound }
            } else {
                self.voice.skip(PACKET, &mut events);
                self.voice.silence()
            };
            self.report(&events);
            if is_heard {
                self.send_sound(sound);
            }
            self.packets += 1;
        }
        while self.start + clip::FRAME * self.frames <= now {
            if is_heard && let Some(data) = self.picture.next_frame() {
                let time = MediaTime::new(u64::from(self.frames) * 6000, Frequency::NINETY_KHZ);
                self.send(&self.video, MediaKind::Video, data, time, None);
            }
            self.frames += 1;
        }
    }

    fn report(&mut self, events: &[VoiceEvent]) {
        for event in events {
            self.conversation.voice(event);
        }
        self.act();
        self.show_speaking();
    }

    /// Skips what the clock has skipped.
    fn skip(&mut self, time: Duration) {
        let mut events = Vec::new();
        self.voice.skip(time, &mut events);
        self.report(&events);
    }

    fn send_sound(&self, sound: Sound) {
        let time = MediaTime::new(u64::from(self.packets) * 960, Frequency::FORTY_EIGHT_KHZ);
        self.send(&self.audio, MediaKind::Audio, sound.packet, time, Some(sound.level));
    }

    fn send(&self, track: &str, kind: MediaKind, data: Arc<[u8]>, time: MediaTime, level: Option<i8>) {
        let media = Media {
            track: track.to_owned(),
            kind,
            is_key_frame: kind == MediaKind::Audio || clip::is_key_frame(&data),
            data,
            time,
            sent: std::time::Instant::now(),
            level,
        };
        self.room.send_media(&self.sid, &Arc::new(media));
    }
}
