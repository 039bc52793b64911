//! One room: its participants, their tracks, and what they send to each other.

use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use livekit_protocol as proto;
use livekit_protocol::participant_info::{Kind, State};
use prost::Message as _;
use proto::signal_response::Message as Response;
use str0m::media::{MediaKind, MediaTime};
use tokio::sync::mpsc::UnboundedSender;

use super::fault::RoomActivity;
use crate::playback::Sound;
use crate::state::lock;

/// A packet of sound or a frame of a picture.
pub(super) struct Media {
    /// The sid of its track.
    pub(super) track: String,
    pub(super) kind: MediaKind,
    pub(super) data: Arc<[u8]>,
    pub(super) time: MediaTime,
    pub(super) sent: Instant,
    /// The level of sound, in decibels relative to full scale.
    pub(super) level: Option<i8>,
    pub(super) is_key_frame: bool,
}

/// A message from a room to one of its connections.
pub(super) enum Outbound {
    Signal(Box<Response>),
    /// Others published tracks, or left.
    TracksChanged,
    /// A key frame of a track that this participant publishes is wanted.
    KeyFrameWanted(String),
    Media(Arc<Media>),
    /// An encoded data packet.
    Data {
        packet: Arc<[u8]>,
        is_reliable: bool,
    },
    Leave(proto::DisconnectReason),
    /// The connection breaks.
    Break,
}

/// A message from a room to its avatar.
pub(super) enum ToAvatar {
    Data {
        topic: String,
        payload: Vec<u8>,
    },
    Microphone {
        level: Option<i8>,
        bytes: usize,
    },
    KeyFrameWanted,
    Sound(Sound),
    /// The session ended for this reason.
    SessionEnded(String),
}

struct Member {
    info: proto::ParticipantInfo,
    /// `None` for the avatar and the agent, which are part of the server.
    connection: Option<UnboundedSender<Outbound>>,
}

#[derive(Default)]
struct Members {
    all: Vec<Member>,
    /// Numbers the sids of this room.
    sids: u32,
    /// Numbers the data packets of the avatar: clients drop repeated ones.
    packets: u32,
    avatar: Option<UnboundedSender<ToAvatar>>,
    activity: RoomActivity,
}

pub(crate) struct Room {
    pub(super) name: String,
    members: Mutex<Members>,
}

impl Room {
    pub(super) fn new(name: String) -> Room {
        Room { name, members: Mutex::default() }
    }

    pub(super) fn set_avatar(&self, avatar: Option<UnboundedSender<ToAvatar>>) {
        lock(&self.members).avatar = avatar;
    }

    pub(super) fn info(&self) -> proto::Room {
        let count = lock(&self.members).all.len();
        proto::Room {
            sid: format!("RM_{}", self.name),
            name: self.name.clone(),
            creation_time: milliseconds() / 1000,
            num_participants: u32::try_from(count).unwrap_or(u32::MAX),
            ..proto::Room::default()
        }
    }

    pub(super) fn new_sid(&self, prefix: &str) -> String {
        let mut members = lock(&self.members);
        members.sids += 1;
        format!("{prefix}_{}", members.sids)
    }

    /// Lets a participant in; an older one with the same identity has to leave. Returns the others.
    pub(super) fn enter(
        &self,
        info: proto::ParticipantInfo,
        connection: Option<UnboundedSender<Outbound>>,
    ) -> Vec<proto::ParticipantInfo> {
        let mut members = lock(&self.members);
        let older = members.all.iter().find(|it| it.info.identity == info.identity);
        if let Some(older) = older.map(|it| it.info.sid.clone()) {
            members.remove(&older, proto::DisconnectReason::DuplicateIdentity);
        }
        members.announce(&info);
        if !info.tracks.is_empty() {
            members.send_to_others(&info.sid, || Outbound::TracksChanged);
        }
        let others = members.all.iter().map(|it| it.info.clone()).collect();
        members.all.push(Member { info, connection });
        others
    }

    /// Changes what the others know of a participant, and returns it; `None` if the participant has left.
    pub(super) fn update(
        &self,
        sid: &str,
        change: impl FnOnce(&mut proto::ParticipantInfo),
    ) -> Option<proto::ParticipantInfo> {
        let mut members = lock(&self.members);
        let member = members.all.iter_mut().find(|it| it.info.sid == sid)?;
        let tracks = member.info.tracks.len();
        change(&mut member.info);
        member.info.version += 1;
        let info = member.info.clone();
        members.announce(&info);
        if info.tracks.len() != tracks {
            members.send_to_others(sid, || Outbound::TracksChanged);
        }
        Some(info)
    }

    pub(super) fn leave(&self, sid: &str) {
        lock(&self.members).remove(sid, proto::DisconnectReason::ClientInitiated);
    }

    /// Ends all connections.
    pub(super) fn close(&self, reason: proto::DisconnectReason) {
        lock(&self.members).send_to_others("", || Outbound::Leave(reason));
    }

    /// Breaks all connections.
    pub(super) fn disconnect(&self) {
        lock(&self.members).send_to_others("", || Outbound::Break);
    }

    /// Returns whether somebody listens to the avatar.
    pub(super) fn has_connections(&self) -> bool {
        lock(&self.members).all.iter().any(|it| it.connection.is_some())
    }

    /// Returns the tracks that a participant can subscribe to, each with the sid of its publisher.
    pub(super) fn tracks_for(&self, sid: &str) -> Vec<(String, proto::TrackInfo)> {
        let members = lock(&self.members);
        let others = members.all.iter().filter(|it| it.info.sid != sid);
        others
            .flat_map(|it| it.info.tracks.iter().map(|track| (it.info.sid.clone(), track.clone())))
            .collect()
    }

    pub(super) fn participants(&self) -> Vec<String> {
        lock(&self.members).all.iter().map(|it| it.info.sid.clone()).collect()
    }

    /// Sends media to all but its publisher.
    pub(super) fn send_media(&self, publisher: &str, media: &Arc<Media>) {
        lock(&self.members).send_to_others(publisher, || Outbound::Media(Arc::clone(media)));
    }

    pub(super) fn signal(&self, message: &Response) {
        lock(&self.members).send_to_others("", || Outbound::Signal(Box::new(message.clone())));
    }

    /// Asks the publisher of a track for a key frame.
    pub(super) fn want_key_frame(&self, track: &str) {
        let members = lock(&self.members);
        let publisher = members.all.iter().find(|it| it.info.tracks.iter().any(|it| it.sid == track));
        match publisher.map(|it| &it.connection) {
            Some(Some(connection)) => drop(connection.send(Outbound::KeyFrameWanted(track.to_owned()))),
            Some(None) => members.tell(ToAvatar::KeyFrameWanted),
            None => {}
        }
    }

    pub(super) fn tell_avatar(&self, message: ToAvatar) {
        let mut members = lock(&self.members);
        if let ToAvatar::Microphone { .. } = message {
            members.activity.microphone_packets += 1;
        }
        members.tell(message);
    }

    pub(super) fn record_command(&self, event_type: &str) {
        lock(&self.members).activity.commands.push(event_type.to_owned());
    }

    pub(super) fn activity(&self) -> RoomActivity {
        let members = lock(&self.members);
        let participants = members.all.iter().map(|it| it.info.identity.clone()).collect();
        RoomActivity { participants, ..members.activity.clone() }
    }

    /// Sends a data packet of the avatar.
    pub(super) fn send_event(&self, sid: &str, topic: &str, payload: Vec<u8>) {
        let mut members = lock(&self.members);
        members.packets += 1;
        let user = proto::UserPacket { payload, topic: Some(topic.to_owned()), ..Default::default() };
        let packet = proto::DataPacket {
            sequence: members.packets,
            value: Some(proto::data_packet::Value::User(user)),
            ..Default::default()
        };
        members.send_data(sid, packet, true);
    }

    /// Forwards a data packet of a user to the other users.
    pub(super) fn forward(&self, sid: &str, packet: proto::DataPacket, is_reliable: bool) {
        lock(&self.members).send_data(sid, packet, is_reliable);
    }
}

impl Members {
    fn send_to_others(&self, sid: &str, message: impl Fn() -> Outbound) {
        let others = self.all.iter().filter(|it| it.info.sid != sid);
        for connection in others.filter_map(|it| it.connection.as_ref()) {
            // Fails if the connection has just ended.
            let _ = connection.send(message());
        }
    }

    fn announce(&self, info: &proto::ParticipantInfo) {
        let update = proto::ParticipantUpdate { participants: vec![info.clone()] };
        self.send_to_others(&info.sid, || Outbound::Signal(Box::new(Response::Update(update.clone()))));
    }

    fn remove(&mut self, sid: &str, reason: proto::DisconnectReason) {
        let Some(index) = self.all.iter().position(|it| it.info.sid == sid) else { return };
        let Member { mut info, connection } = self.all.remove(index);
        if let Some(connection) = connection {
            let _ = connection.send(Outbound::Leave(reason));
        }
        info.state = State::Disconnected.into();
        info.disconnect_reason = reason.into();
        info.version += 1;
        self.announce(&info);
        if !info.tracks.is_empty() {
            self.send_to_others(sid, || Outbound::TracksChanged);
        }
    }

    fn tell(&self, message: ToAvatar) {
        if let Some(avatar) = &self.avatar {
            let _ = avatar.send(message);
        }
    }

    /// Sends a data packet, with its sender's names, to its destinations or else to all others.
    fn send_data(&self, sid: &str, mut packet: proto::DataPacket, is_reliable: bool) {
        let Some(sender) = self.all.iter().find(|it| it.info.sid == sid) else { return };
        packet.participant_sid.clone_from(&sender.info.sid);
        packet.participant_identity.clone_from(&sender.info.identity);
        let to = std::mem::take(&mut packet.destination_identities);
        let packet: Arc<[u8]> = packet.encode_to_vec().into();
        let is_wanted = |info: &proto::ParticipantInfo| to.is_empty() || to.contains(&info.identity);
        for member in self.all.iter().filter(|it| it.info.sid != sid && is_wanted(&it.info)) {
            if let Some(connection) = &member.connection {
                let _ = connection.send(Outbound::Data { packet: Arc::clone(&packet), is_reliable });
            }
        }
    }
}

/// Returns a participant without tracks.
pub(super) fn participant(sid: String, identity: &str, kind: Kind) -> proto::ParticipantInfo {
    let now = milliseconds();
    proto::ParticipantInfo {
        sid,
        identity: identity.to_owned(),
        state: State::Active.into(),
        kind: kind.into(),
        joined_at: now / 1000,
        joined_at_ms: now,
        version: 1,
        ..Default::default()
    }
}

/// Returns the system's time, which clients compare with their own.
pub(super) fn milliseconds() -> i64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
