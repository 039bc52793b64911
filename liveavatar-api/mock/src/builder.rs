//! The settings of a server, and its start.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::clock::Clock;
use super::fault::Plan;
use super::heard::Ear;
use super::rate::Rates;
use super::server::lock;
use super::server::{Server, Shared, serve};
use super::sessions::Limits;
use super::socket::{self, EventStyle};
use super::world::World;

const API_KEY: &str = "canary-api-key";
/// Unless the builder says otherwise. All four are our choice; the service has them per plan and account.
const SESSION_LIMIT: usize = 3;
const MAX_SESSION_SECONDS: u64 = 1200;
const CREDITS: u64 = 100_000;
const PUBLIC_ENTRIES: u32 = 3;

/// Settings of a [`Server`] that is about to start.
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
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            api_key: API_KEY.to_owned(),
            limits: Limits {
                sessions: SESSION_LIMIT,
                seconds: MAX_SESSION_SECONDS,
                credits: CREDITS,
                reap_after: None,
            },
            rate_limit: None,
            latency: Duration::ZERO,
            public_entries: PUBLIC_ENTRIES,
            known_avatars_only: false,
            port: 0,
            sockets: None,
            socket_delay: Duration::ZERO,
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

    /// Sets the longest session in seconds; 1200 by default, in the sandbox never above 60.
    pub fn max_session_duration(mut self, seconds: u64) -> Builder {
        self.limits.seconds = seconds;
        self
    }

    /// Sets the credits that the account starts with; 100000 by default.
    ///
    /// A minute of a session costs 2 in FULL mode, 1 in LITE mode, and nothing in the sandbox. One minute is held at start, which
    /// is refused with code 4033 when there is not enough for it. Later minutes are paid for as they begin; a session whose next
    /// minute nobody can pay ends for the reason `NO_CREDITS`.
    pub fn credits(mut self, credits: u64) -> Builder {
        self.limits.credits = credits;
        self
    }

    /// Reaps sessions that were never kept alive so long after their start; without this, they idle for 5 minutes.
    ///
    /// Developers saw this after 194 to 210 seconds; the reason is `ZOMBIE_SESSION_REAP`. Anything that arrives on a session's
    /// command socket keeps it alive.
    pub fn reap_after(mut self, time: Duration) -> Builder {
        self.limits.reap_after = Some(time);
        self
    }

    /// Limits the requests of each caller to each operation, in windows of one second; no limit by default.
    ///
    /// Calls with a session token are counted per token. What is too much gets a 429 with `Retry-After` and
    /// `X-RateLimit-Reset`; its body is invented, as none is on record.
    pub fn rate_limit(mut self, requests_per_second: u32) -> Builder {
        self.rate_limit = Some(requests_per_second);
        self
    }

    /// Lets every request wait so long before anything is done with it; not at all by default.
    pub fn latency(mut self, time: Duration) -> Builder {
        self.latency = time;
        self
    }

    /// Sets how many public entries a collection has that has any, such as avatars; 3 by default.
    ///
    /// The first public avatar is that of the sandbox.
    pub fn public_entries(mut self, entries: u32) -> Builder {
        self.public_entries = entries;
        self
    }

    /// Mints tokens only for avatars that exist here; by default for all but those that were deleted.
    pub fn known_avatars_only(mut self) -> Builder {
        self.known_avatars_only = true;
        self
    }

    /// Sets the loopback port to listen on; 0, the default, takes a free one.
    pub fn port(mut self, port: u16) -> Builder {
        self.port = port;
        self
    }

    /// Serves the command sockets of LITE sessions too, whose events tell utterances apart in the given way.
    ///
    /// Without this, `ws_url` names a host that does not exist.
    pub fn sockets(mut self, style: EventStyle) -> Builder {
        self.sockets = Some(style);
        self
    }

    /// Sets how long a command socket takes to get ready; what arrives earlier is dropped without a word. No time by default.
    pub fn socket_delay(mut self, time: Duration) -> Builder {
        self.socket_delay = time;
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
        let world = World::new(&clock, self.limits, self.public_entries, self.known_avatars_only);
        let world = Arc::new(Mutex::new(world));
        let ear = Arc::new(Mutex::new(Ear::default()));
        let sockets = match self.sockets {
            Some(style) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                lock(&world).sessions.sockets = Some(format!("ws://{}", listener.local_addr()?));
                let behind = socket::Behind {
                    style,
                    delay: self.socket_delay,
                    clock: clock.clone(),
                    world: Arc::clone(&world),
                    ear: Arc::clone(&ear),
                };
                let serving = tokio::spawn(socket::serve(listener, behind));
                Some(serving.abort_handle())
            }
            None => None,
        };
        let shared = Arc::new(Shared {
            url: format!("http://{}", listener.local_addr()?),
            api_key: self.api_key,
            latency: self.latency,
            rates: Mutex::new(Rates::new(self.rate_limit, clock.clone())),
            clock,
            world,
            scripts: Mutex::default(),
            faults: Mutex::new(Plan::default()),
            log: Mutex::default(),
            ear,
        });
        let sockets_until_then = sockets.clone();
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async {
                // A dropped sender is the signal.
                let _ = stopped.await;
            });
            // Accepting never gives up, so there is no error to report.
            let _ = served.await;
            if let Some(sockets) = sockets_until_then {
                sockets.abort();
            }
        });
        Ok(Server { shared, stop: Some(stop), task, sockets })
    }
}

/// Leaves the API key out.
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
