//! Faults of rooms, and what rooms record for tests.

use std::time::Duration;

use serde_json::{Value, json};

/// A fault of the rooms of a server, for [`Builder::room_fault`](crate::Builder::room_fault) and
/// [`Server::inject_room_fault`](crate::Server::inject_room_fault).
///
/// Faults add up, and last until [`Server::clear_faults`](crate::Server::clear_faults).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RoomFault {
    /// The avatar of a session that starts later joins after this time of the server's clock.
    LateAvatar(Duration),
    /// The avatar of a session that starts later never joins.
    NoAvatar,
    /// Data packets are lost in both directions.
    NoData,
    /// This share of the media packets to the clients is lost, from 0 to 1; which ones is the same in each run.
    PacketLoss(f32),
    /// The avatar's voice is silent.
    Silence,
    /// All connections of all rooms break now. The clients may join again.
    Disconnect,
}

/// The faults that are in effect.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoomFaults {
    /// `Duration::MAX` if the avatar never joins.
    pub(super) avatar_delay: Duration,
    pub(super) loses_data: bool,
    pub(super) packet_loss: f32,
    pub(super) is_silent: bool,
}

impl RoomFaults {
    /// Adds a fault; returns false for one without a lasting effect.
    pub(crate) fn add(&mut self, fault: RoomFault) -> bool {
        match fault {
            RoomFault::LateAvatar(time) => self.avatar_delay = time,
            RoomFault::NoAvatar => self.avatar_delay = Duration::MAX,
            RoomFault::NoData => self.loses_data = true,
            RoomFault::PacketLoss(share) => self.packet_loss = share.clamp(0.0, 1.0),
            RoomFault::Silence => self.is_silent = true,
            RoomFault::Disconnect => return false,
        }
        true
    }

    /// Returns the faults in the form in which they are injected.
    pub(crate) fn json(self) -> Vec<Value> {
        let avatar = match self.avatar_delay {
            Duration::ZERO => None,
            Duration::MAX => Some(json!("no_avatar")),
            delay => Some(json!({ "late_avatar": delay.as_secs_f64() })),
        };
        let loss = (self.packet_loss > 0.0).then(|| json!({ "packet_loss": self.packet_loss }));
        let named = [(self.loses_data, "no_data"), (self.is_silent, "silence")];
        let named = named.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| json!(name));
        avatar.into_iter().chain(loss).chain(named).collect()
    }
}

/// What the room of one session received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomActivity {
    /// The identities of the participants that are in the room, in the order in which they joined.
    pub participants: Vec<String>,
    /// The event types of the commands on the data channel, in their order.
    pub commands: Vec<String>,
    /// Packets of the users' microphones.
    pub microphone_packets: u64,
}
