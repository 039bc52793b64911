//! The settings of a server, and its start.

use std::fmt;
use std::io;
#[cfg(feature = "room")]
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::handler::handle;
use crate::journal::Journal;
use crate::rate_limit::RateLimiter;
#[cfg(feature = "room")]
use crate::room::{RoomFault, RoomSettings, Rooms};
use crate::server::Server;
use crate::sessions::Limits;
use crate::shared::Shared;
use crate::socket::{self, EventStyle, SocketContext};
use crate::socket_activity::SocketMonitor;
use crate::state::{ServerState, lock};

impl Server {
    /// Starts a server with the default settings, like [`Builder::start`].
    ///
    /// # Errors
    ///
    /// If no loopback port can be opened.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub async fn start() -> io::Result<Server> {
        Server::builder().start().await
    }

    /// Returns a builder, to change limits or the API key.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Builds a [`Server`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    api_key: String,
    limits: Limits,
    rate_limit: Option<u32>,
    latency: Duration,
    public_entries: u32,
    known_avatars_only: bool,
    port: u16,
    sockets: Option<EventStyle>,
    socket_delay: Duration,
    overlapping_transcripts: bool,
    record_audio: bool,
    #[cfg(feature = "room")]
    room: Option<RoomSettings>,
}

/// All defaults are our choice; the service sets these values per plan and account.
impl Default for Builder {
    fn default() -> Builder {
        Builder {
            api_key: "canary-api-key".to_owned(),
            limits: Limits { sessions: 3, seconds: 1200, credits: 100_000, zombie_timeout: None },
            rate_limit: None,
            latency: Duration::ZERO,
            public_entries: 3,
            known_avatars_only: false,
            port: 0,
            sockets: None,
            socket_delay: Duration::ZERO,
            overlapping_transcripts: false,
            record_audio: false,
            #[cfg(feature = "room")]
            room: None,
        }
    }
}

impl Builder {
    /// Sets the API key to accept; `canary-api-key` by default.
    pub fn api_key(mut self, key: impl Into<String>) -> Builder {
        self.api_key = key.into();
        self
    }

    /// Sets how many sessions may run at the same time; 3 by default.
    pub fn session_limit(mut self, sessions: usize) -> Builder {
        self.limits.sessions = sessions;
        self
    }

    /// Sets the longest session in seconds; 1200 by default, at most 60 in the sandbox.
    pub fn max_session_duration(mut self, seconds: u64) -> Builder {
        self.limits.seconds = seconds;
        self
    }

    /// Sets the initial credits of the account; 100000 by default.
    ///
    /// A minute of a session costs 2 credits in FULL mode, 1 in LITE mode, and nothing in the sandbox. Starting a session
    /// charges its first minute, and is rejected with code 4033 if the credits do not cover it. Each later minute is charged
    /// when it begins; a session whose next minute is not covered ends for the reason `NO_CREDITS`.
    pub fn credits(mut self, credits: u64) -> Builder {
        self.limits.credits = credits;
        self
    }

    /// Ends sessions that were not kept alive once within this time after their start; off by default.
    ///
    /// The end reason is `ZOMBIE_SESSION_REAP`; developers observed it after 194 to 210 seconds. Any command on the
    /// session's socket counts as a keep-alive. The idle timeout of 5 minutes applies in any case.
    pub fn zombie_timeout(mut self, time: Duration) -> Builder {
        self.limits.zombie_timeout = Some(time);
        self
    }

    /// Limits the requests per second of each caller to each operation; no limit by default.
    ///
    /// Calls with a session token are counted per token. Excess requests get a 429 with `Retry-After` and
    /// `X-RateLimit-Reset`; its body is invented, because none is recorded.
    pub fn rate_limit(mut self, requests_per_second: u32) -> Builder {
        self.rate_limit = Some(requests_per_second);
        self
    }

    /// Delays every request by this time; no delay by default.
    pub fn latency(mut self, time: Duration) -> Builder {
        self.latency = time;
        self
    }

    /// Sets the number of public entries in each collection that has them, such as avatars; 3 by default.
    ///
    /// The first public avatar is the sandbox avatar.
    pub fn public_entries(mut self, entries: u32) -> Builder {
        self.public_entries = entries;
        self
    }

    /// Mints tokens only for stored avatars; by default for every avatar that was not deleted.
    pub fn known_avatars_only(mut self) -> Builder {
        self.known_avatars_only = true;
        self
    }

    /// Sets the loopback port to listen on; the default, 0, picks a free port.
    pub fn port(mut self, port: u16) -> Builder {
        self.port = port;
        self
    }

    /// Serves the command sockets of LITE sessions; their events identify utterances in the given style.
    ///
    /// Without this, `ws_url` names a host that does not exist.
    pub fn sockets(mut self, style: EventStyle) -> Builder {
        self.sockets = Some(style);
        self
    }

    /// Sets how long a command socket takes to become ready; it silently drops earlier frames. No delay by default.
    pub fn socket_delay(mut self, time: Duration) -> Builder {
        self.socket_delay = time;
        self
    }

    /// Begins each page of a transcript with the last line of the page before it.
    ///
    /// By default, pages do not overlap. Which of the two the service does is not documented.
    pub fn overlapping_transcripts(mut self) -> Builder {
        self.overlapping_transcripts = true;
        self
    }

    /// Keeps the audio that command sockets receive, for [`Server::heard_audio`]; 48 kB per second. Off by default.
    pub fn record_audio(mut self) -> Builder {
        self.record_audio = true;
        self
    }

    /// Serves a LiveKit room for each session, on the port of the server; off by default.
    ///
    /// Any LiveKit client can join with the `livekit_url` and the token of the start call, and sees and hears the avatar. FULL sessions
    /// have commands and events on the data channel; in LITE sessions, the avatar says what the [command socket](Builder::sockets)
    /// receives. Media goes over UDP on 127.0.0.1, in real time. Transcripts contain what was said. Without this, `livekit_url` names
    /// a host that does not exist.
    ///
    /// A session with the caller's own room joins it if its URL is that of the server. Any token of the key `devkey` with the secret
    /// `secret`, as in `livekit-server --dev`, opens a room with another name than a session's.
    #[cfg(feature = "room")]
    pub fn room(mut self) -> Builder {
        self.room.get_or_insert_default();
        self
    }

    /// Serves rooms, and sets the address of their media; 127.0.0.1 by default.
    ///
    /// Some browsers refuse media from a loopback address. Another machine needs an address of this one, and a proxy for the rest.
    #[cfg(feature = "room")]
    pub fn media_address(mut self, address: IpAddr) -> Builder {
        self.room.get_or_insert_default().address = address;
        self
    }

    /// Serves rooms, and sets what the avatar of FULL sessions answers, one after the other and from the start again.
    ///
    /// By default, it repeats the text of the user.
    #[cfg(feature = "room")]
    pub fn responses<T: Into<String>>(mut self, responses: impl IntoIterator<Item = T>) -> Builder {
        self.room.get_or_insert_default().responses = responses.into_iter().map(Into::into).collect();
        self
    }

    /// Serves rooms with a fault from the start; faults add up.
    #[cfg(feature = "room")]
    pub fn room_fault(mut self, fault: RoomFault) -> Builder {
        self.room.get_or_insert_default().faults.add(fault);
        self
    }

    /// Starts the server on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// If no loopback port can be opened.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub async fn start(self) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let clock = Clock::new();
        let state = ServerState::new(&clock, self.limits, self.public_entries, self.known_avatars_only);
        let state = Arc::new(Mutex::new(state));
        lock(&state).sessions.overlapping_transcripts = self.overlapping_transcripts;
        let monitor = Arc::new(Mutex::new(SocketMonitor::new(self.record_audio)));
        let journal = Journal::new(clock.clone());
        #[cfg(feature = "room")]
        let rooms = match self.room {
            Some(room) => {
                let url = format!("ws://{}", listener.local_addr()?);
                Some(Rooms::start(url, room, &clock, &state, &journal))
            }
            None => None,
        };
        let mut sockets = None;
        if let Some(style) = self.sockets {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            lock(&state).sessions.socket_base = Some(format!("ws://{}", listener.local_addr()?));
            let context = SocketContext {
                style,
                delay: self.socket_delay,
                clock: clock.clone(),
                state: Arc::clone(&state),
                monitor: Arc::clone(&monitor),
                journal: Arc::clone(&journal),
                #[cfg(feature = "room")]
                rooms: rooms.clone(),
            };
            sockets = Some(tokio::spawn(socket::serve(listener, context)).abort_handle());
        }
        let shared = Arc::new(Shared {
            url: format!("http://{}", listener.local_addr()?),
            api_key: self.api_key,
            latency: self.latency,
            rate_limiter: Mutex::new(RateLimiter::new(self.rate_limit, clock.clone())),
            clock,
            state,
            queued_responses: Mutex::default(),
            faults: Mutex::default(),
            log: Mutex::default(),
            journal: Arc::clone(&journal),
            in_progress: watch::Sender::new(0),
            monitor,
            #[cfg(feature = "room")]
            rooms: rooms.clone(),
        });
        let sockets_to_stop = sockets.clone();
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async move {
                // Fails when the sender is dropped, which is the signal.
                let _ = stopped.await;
                // The server waits for its responses, and those with events would never end.
                journal.stop();
            });
            // Never an error: accepting is retried.
            let _ = served.await;
            if let Some(sockets) = sockets_to_stop {
                sockets.abort();
            }
            #[cfg(feature = "room")]
            if let Some(rooms) = rooms {
                rooms.stop();
            }
        });
        Ok(Server { shared, stop: Some(stop), task, sockets })
    }
}

/// Omits the API key.
impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("limits", &self.limits)
            .field("rate_limit", &self.rate_limit)
            .field("latency", &self.latency)
            .finish_non_exhaustive()
    }
}
