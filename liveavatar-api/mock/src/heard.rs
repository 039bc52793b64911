//! What arrives on the command sockets, for tests to look at, and what goes wrong there.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use liveavatar_api::realtime::lite::Command;

/// What arrived on the command sockets of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// Sockets that were connected to the session.
    pub connections: u32,
    /// Utterances in the order of their first audio.
    pub utterances: Vec<Utterance>,
    /// Interrupts.
    pub interrupts: u32,
    /// Commands to keep the session alive.
    pub keep_alives: u32,
    /// Frames that came before the socket was ready, and were dropped.
    pub early: u32,
    /// Frames that were refused with an error.
    pub refused: u32,
}

/// Speech, from its first audio to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Utterance {
    /// The id of its first command; empty without one.
    pub event_id: String,
    /// Commands with audio.
    pub frames: u32,
    /// How long its audio plays.
    pub audio: Duration,
    /// How often playback ran out of audio before the end of the utterance had come.
    pub starvations: u32,
    /// What became of it; nothing while it is open or playing, or when its socket went away.
    pub end: Option<UtteranceEnd>,
}

/// What became of an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UtteranceEnd {
    /// It was played to its end.
    Finished,
    /// An interrupt dropped it.
    Interrupted,
}

/// How a command socket goes wrong, for [`Server::socket_faults`](super::Server::socket_faults).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketFault {
    /// It closes with this code, without a word about the session; the command has no effect.
    Close(u16),
    /// Its connection breaks; the command has no effect.
    Break,
    /// It says nothing from here on, and the connection stays; commands have no effect.
    Silence,
    /// It says this text, whatever that is, and then does what the command asks for.
    Garbage(String),
}

pub(super) type SocketFaults = Box<dyn FnMut(&Command) -> Option<SocketFault> + Send>;

/// What all sockets of a server hear.
#[derive(Default)]
pub(super) struct Ear {
    pub(super) faults: Option<SocketFaults>,
    sessions: HashMap<Uuid, Heard>,
}

impl Ear {
    pub(super) fn heard(&self, session: Uuid) -> Heard {
        self.sessions.get(&session).cloned().unwrap_or_default()
    }

    pub(super) fn of(&mut self, session: Uuid) -> &mut Heard {
        self.sessions.entry(session).or_default()
    }

    pub(super) fn fault(&mut self, command: &Command) -> Option<SocketFault> {
        self.faults.as_mut().and_then(|faults| faults(command))
    }
}
