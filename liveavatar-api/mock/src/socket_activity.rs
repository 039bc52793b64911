//! Activity on the command sockets, recorded for tests, and the faults injected there.

use std::collections::HashMap;
use std::io::Cursor;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uuid::Uuid;

use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::LiteCommand;

/// What one session received on its command sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketActivity {
    /// Sockets that were connected to the session.
    pub connections: u32,
    /// Utterances in the order of their first audio.
    pub utterances: Vec<Utterance>,
    /// Interrupt commands.
    pub interrupts: u32,
    /// Keep-alive commands.
    pub keep_alives: u32,
    /// Frames that arrived before the socket was ready and were dropped.
    pub early_frames: u32,
    /// Frames that were rejected with an error event.
    pub rejected_frames: u32,
}

impl SocketActivity {
    /// Returns the activity as the control API reports it; durations are in seconds.
    pub(crate) fn json(&self) -> Value {
        let utterance = |utterance: &Utterance| {
            json!({
                "event_id": utterance.event_id,
                "frames": utterance.frames,
                "audio": utterance.audio.as_secs_f64(),
                "starvations": utterance.starvations,
                "end": utterance.end.map(|end| match end {
                    UtteranceEnd::Finished => "finished",
                    UtteranceEnd::Interrupted => "interrupted",
                }),
            })
        };
        json!({
            "connections": self.connections,
            "utterances": self.utterances.iter().map(utterance).collect::<Vec<_>>(),
            "interrupts": self.interrupts,
            "keep_alives": self.keep_alives,
            "early_frames": self.early_frames,
            "rejected_frames": self.rejected_frames,
        })
    }
}

/// An utterance, from its first audio to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Utterance {
    /// The id of its first command; empty if the command had none.
    pub event_id: String,
    /// Commands with audio.
    pub frames: u32,
    /// Duration of its audio.
    pub audio: Duration,
    /// How often playback ran out of audio before the utterance was complete.
    pub starvations: u32,
    /// How it ended; `None` while it is open or playing, or if its socket was closed.
    pub end: Option<UtteranceEnd>,
}

/// How an utterance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UtteranceEnd {
    /// It was played completely.
    Finished,
    /// It was dropped by an interrupt.
    Interrupted,
}

/// A fault on a command socket, for [`Server::socket_faults`](crate::Server::socket_faults).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketFault {
    /// Closes with this code without a state event and ignores the command.
    Close(u16),
    /// Drops the connection and ignores the command.
    Disconnect,
    /// Keeps the connection open, but ignores all commands and sends nothing more.
    Hang,
    /// Sends this text, then handles the command as usual.
    Garbage(String),
}

pub(crate) type SocketFaultFn = Box<dyn FnMut(&LiteCommand) -> Option<SocketFault> + Send>;

/// The activity of every session of one server.
#[derive(Default)]
pub(crate) struct SocketMonitor {
    pub(crate) faults: Option<SocketFaultFn>,
    pub(crate) sessions: HashMap<Uuid, SocketActivity>,
    /// The audio that each session received, if it is recorded.
    audio: Option<HashMap<Uuid, Vec<u8>>>,
    /// What the test sends to the open sockets of each session.
    senders: HashMap<Uuid, Vec<UnboundedSender<String>>>,
}

impl SocketMonitor {
    pub(crate) fn new(records_audio: bool) -> SocketMonitor {
        SocketMonitor { audio: records_audio.then(HashMap::new), ..SocketMonitor::default() }
    }

    /// Records the audio of one frame, if audio is recorded.
    pub(crate) fn hear(&mut self, session: Uuid, pcm: &[u8]) {
        if let Some(audio) = &mut self.audio {
            audio.entry(session).or_default().extend_from_slice(pcm);
        }
    }

    pub(crate) fn records_audio(&self) -> bool {
        self.audio.is_some()
    }

    /// Returns the size of the recorded audio of a session, in bytes of PCM.
    pub(crate) fn heard_bytes(&self, session: Uuid) -> usize {
        self.audio.as_ref().and_then(|audio| audio.get(&session)).map_or(0, Vec::len)
    }

    /// Returns the recorded audio of a session as a WAV file, without its first `skipped` bytes of PCM.
    pub(crate) fn wav(&self, session: Uuid, skipped: usize) -> Option<Vec<u8>> {
        let pcm = self.audio.as_ref()?.get(&session)?;
        let pcm = pcm.get(skipped..).unwrap_or_default();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: audio::SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).ok()?;
        for sample in pcm.as_chunks::<2>().0 {
            writer.write_sample(i16::from_le_bytes(*sample)).ok()?;
        }
        writer.finalize().ok()?;
        Some(file.into_inner())
    }

    /// Returns the receiver of what the test sends to a new socket.
    pub(crate) fn subscribe(&mut self, session: Uuid) -> UnboundedReceiver<String> {
        let (sender, receiver) = unbounded_channel();
        self.senders.entry(session).or_default().push(sender);
        receiver
    }

    /// Sends a text to all open sockets of a session; returns false if there are none.
    pub(crate) fn send(&mut self, session: Uuid, text: &str) -> bool {
        let senders = self.senders.entry(session).or_default();
        senders.retain(|sender| sender.send(text.to_owned()).is_ok());
        !senders.is_empty()
    }
}
