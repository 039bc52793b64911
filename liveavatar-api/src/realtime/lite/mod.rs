//! The WebSocket of LITE sessions, formerly CUSTOM: you send audio, and the avatar's events come back.
//!
//! [`Socket::connect`] takes the `ws_url` of a started session and waits until the service is ready; before that, the service
//! silently drops commands. [`Socket::speak`] takes a stream of PCM (see [`audio`](super::audio)) and resolves when the
//! utterance has ended.
//!
//! ```no_run
//! # async fn speak(
//! #     started: liveavatar_api::types::StartSessionResponse,
//! #     pcm: impl futures_util::Stream<Item = Vec<u8>> + Send + 'static,
//! # ) -> Result<(), liveavatar_api::Error> {
//! use liveavatar_api::realtime::lite::{Socket, SpeechEnd};
//!
//! let ws_url = started.ws_url.expect("a LITE session without a connector has one");
//! let socket = Socket::connect(&ws_url).await?;
//! let outcome = socket.speak(pcm).await;
//! match outcome.end {
//!     SpeechEnd::Finished => println!("spoke for {:?}", outcome.audio),
//!     SpeechEnd::Interrupted => println!("the user interrupted"),
//!     SpeechEnd::Failed(error) => println!("{error}"),
//!     SpeechEnd::Lost => println!("the connection was lost, or the service sent no end"),
//!     _ => {}
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What the socket does for you
//!
//! - It cuts audio into frames of the recommended sizes ([`Chunks`]), under one id per utterance, and sends the end of each
//!   utterance.
//! - It sends at most a few seconds ahead of playback, so that an interrupt has little to drop. It polls your stream only when it
//!   can send.
//! - It ends every utterance whose audio ends: when the service reports the end, when the connection is lost, or 10 s after the
//!   audio should have been played.
//! - It keeps the session alive while nothing is sent, and answers pings. It does not expect pongs, because the service delays
//!   them while it is busy (official starter).
//! - It reconnects once if the connection breaks, but not to a session that the service says is ending or has stopped.
//! - It reports how much of each utterance was played ([`SpeechProgress`], [`SpeechOutcome::played`]), so that an agent knows what the
//!   user heard.
//!
//! # Limits
//!
//! | What the server sends | Limit |
//! | --- | --- |
//! | response to the handshake | 64 KiB, else connecting fails |
//! | message, also in fragments | 16 MiB, else the connection breaks |
//! | event | [`MAX_EVENT`], else it is dropped and [`LiteEvents::missed`] counts it |
//! | events that you do not read | [`EVENT_BUFFER`], and [`EARLY_EVENT_BUFFER`] before you subscribe |
//! | pings whose pongs it does not read | 64 KiB of pongs, else the connection breaks |
//! | compressed frames | none, because the socket does not offer compression; the connection breaks |
//!
//! HTTP proxies are not supported.

mod connect;
mod events;
mod in_flight;
mod options;
mod playback;
mod protocol;
mod send_queue;
mod session;
mod socket;
mod speech;
mod task;

pub use super::audio::Chunks;
pub use connect::MAX_EVENT;
pub use events::{EARLY_EVENT_BUFFER, EVENT_BUFFER, LiteEvents};
pub use options::{AHEAD, END_MARGIN, FLUSH_AFTER, READY_TIMEOUT, SocketOptions};
pub use playback::SpeechProgress;
pub use protocol::{
    AgentState, LiteCommand, LiteEvent, LiteEventKind, NoticeKind, ServerNotice, SessionState,
};
pub use socket::{Socket, SpeechHandle};
pub use speech::{SpeechEnd, SpeechOutcome};
pub use task::CloseReason;
