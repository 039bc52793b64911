//! The sessions of one server: their phases, limits and clock. No HTTP here.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::transcript::Window;

/// A session without keep-alive ends after this time, by the documentation.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Moment at which every server starts, so that timestamps are stable: 2026-01-01T00:00:00Z, in seconds since 1970.
const EPOCH: i64 = 1_767_225_600;
/// Ids count up from here; version and variant bits are those of a random UUID.
const ID_BASE: u128 = 0x5e55_1001_0000_4000_8000_0000_0000_0000;
/// Part of every token, so that a test can search logs for it.
const CANARY: &str = "canary";
/// A name that never resolves (RFC 2606): there is no media behind the mock.
const MEDIA_HOST: &str = "media.invalid";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Full,
    Lite,
}

impl Mode {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Mode::Full => "FULL",
            Mode::Lite => "LITE",
        }
    }

    /// Credits per minute, by the documentation.
    fn rate(self) -> u64 {
        match self {
            Mode::Full => 2,
            Mode::Lite => 1,
        }
    }
}

/// What a token was minted for.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) mode: Mode,
    pub(super) is_sandbox: bool,
    pub(super) max_seconds: u64,
    pub(super) avatar_id: String,
    pub(super) context_id: Option<String>,
    /// URL and token of the caller's own LiveKit room.
    pub(super) own_room: Option<(String, String)>,
    /// An external agent drives the session, so there is no command socket.
    pub(super) has_connector: bool,
    /// What the token's payload repeats about the request.
    pub(super) claims: Value,
}

#[derive(Clone, Debug)]
enum Phase {
    Minted,
    Running { started: Instant, heard: Instant },
    Ended { started: Instant, ended: Instant, reason: String },
}

pub(super) struct Session {
    pub(super) id: Uuid,
    pub(super) terms: Terms,
    token: String,
    /// The address of its socket; none leads nowhere.
    socket: Option<String>,
    phase: Phase,
    events_deleted: Option<Instant>,
}

/// Why a session did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartRefusal {
    Running,
    Ended,
    Limit,
}

pub(super) struct Sessions {
    origin: Instant,
    /// Sessions that may run at the same time.
    limit: usize,
    /// Longest session outside the sandbox, in seconds.
    pub(super) cap_seconds: u64,
    /// Where sockets are served, without a slash at its end.
    pub(super) sockets: Option<String>,
    all: Vec<Session>,
}

impl Sessions {
    pub(super) fn new(limit: usize, cap_seconds: u64) -> Sessions {
        Sessions { origin: Instant::now(), limit, cap_seconds, sockets: None, all: Vec::new() }
    }

    /// The session that a token was minted for, whatever its phase.
    pub(super) fn of_token(&self, token: &str) -> Option<Uuid> {
        self.all.iter().find(|session| session.token == token).map(|session| session.id)
    }

    /// Mints a token; the id belongs to the session from now on.
    pub(super) fn mint(&mut self, terms: Terms) -> (Uuid, String) {
        let id = Uuid::from_u128(ID_BASE + self.all.len() as u128 + 1);
        let token = token("session", id, &json!({ "session_id": id, "start_session_data": terms.claims }));
        self.all.push(Session {
            id,
            terms,
            token: token.clone(),
            socket: self.sockets.as_ref().map(|base| format!("{base}/{CANARY}-ws_url/{id}")),
            phase: Phase::Minted,
            events_deleted: None,
        });
        (id, token)
    }

    pub(super) fn start(&mut self, id: Uuid) -> Result<&Session, StartRefusal> {
        self.settle();
        let is_full = self.running().count() >= self.limit;
        // A token always belongs to a session; without one there is nothing left to start.
        let session = self.all.iter_mut().find(|session| session.id == id).ok_or(StartRefusal::Ended)?;
        match session.phase {
            Phase::Running { .. } => Err(StartRefusal::Running),
            Phase::Ended { .. } => Err(StartRefusal::Ended),
            Phase::Minted if is_full => Err(StartRefusal::Limit),
            Phase::Minted => {
                let now = Instant::now();
                session.phase = Phase::Running { started: now, heard: now };
                Ok(session)
            }
        }
    }

    /// Restarts the idle countdown; false when the session is not running.
    #[must_use]
    pub(super) fn keep_alive(&mut self, id: Uuid) -> bool {
        self.settle();
        match self.all.iter_mut().find(|session| session.id == id).map(|session| &mut session.phase) {
            Some(Phase::Running { heard, .. }) => {
                *heard = Instant::now();
                true
            }
            _ => false,
        }
    }

    /// Whether the session is running.
    #[cfg(feature = "lite")]
    pub(super) fn runs(&mut self, id: Uuid) -> bool {
        self.settle();
        self.running().any(|session| session.id == id)
    }

    /// Ends a running session; false when it is not running.
    #[must_use]
    pub(super) fn stop(&mut self, id: Uuid, reason: &str) -> bool {
        self.settle();
        let session = self.all.iter_mut().find(|session| session.id == id);
        match session {
            Some(Session { phase: phase @ Phase::Running { .. }, .. }) => {
                if let Phase::Running { started, .. } = *phase {
                    *phase = Phase::Ended { started, ended: Instant::now(), reason: reason.to_owned() };
                }
                true
            }
            _ => false,
        }
    }

    /// Sessions that were started and have not ended, oldest first.
    pub(super) fn running(&self) -> impl Iterator<Item = &Session> {
        self.all.iter().filter(|session| matches!(session.phase, Phase::Running { .. }))
    }

    /// Sessions that have ended, oldest first.
    pub(super) fn ended(&self) -> impl Iterator<Item = &Session> {
        self.all.iter().filter(|session| matches!(session.phase, Phase::Ended { .. }))
    }

    /// A session that was started; a minted token alone is not listed anywhere.
    pub(super) fn started(&self, id: &str) -> Option<&Session> {
        let id = Uuid::parse_str(id).ok()?;
        self.all.iter().find(|session| session.id == id && !matches!(session.phase, Phase::Minted))
    }

    /// Forgets what was said so far; false when no such session was started.
    #[must_use]
    pub(super) fn delete_events(&mut self, id: &str) -> bool {
        self.settle();
        let Some(id) = self.started(id).map(|session| session.id) else {
            return false;
        };
        for session in self.all.iter_mut().filter(|session| session.id == id) {
            session.events_deleted = Some(Instant::now());
        }
        true
    }

    /// Ends the sessions whose time is over; do this before any look at the sessions.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        for session in &mut self.all {
            let Phase::Running { started, heard } = session.phase else { continue };
            // A limit beyond what the clock can say never comes.
            let limit = started.checked_add(Duration::from_secs(session.terms.max_seconds));
            let idle = heard + IDLE_TIMEOUT;
            let (ended, reason) = match limit {
                Some(limit) if limit <= idle => (limit, "MAX_DURATION_REACHED"),
                _ => (idle, "IDLE_TIMEOUT"),
            };
            if ended <= now {
                session.phase = Phase::Ended { started, ended, reason: reason.to_owned() };
            }
        }
    }

    /// The session as the lists show it.
    pub(super) fn entry(&self, session: &Session) -> Value {
        let (started, until) = session.span();
        let seconds = (until - started).as_secs();
        // One minute is held at start, and begun minutes count.
        let minutes = seconds.div_ceil(60).max(1);
        let rate = if session.terms.is_sandbox { 0 } else { session.terms.mode.rate() };
        let mut entry = json!({
            "id": session.id,
            "created_at": self.rfc3339(started),
            "updated_at": self.rfc3339(until),
            "duration": seconds,
            "source": "API",
            "mode": session.terms.mode.as_str(),
            "is_sandbox": session.terms.is_sandbox,
            "credits_consumed": minutes * rate,
        });
        if let Phase::Ended { ended, reason, .. } = &session.phase {
            entry["end_at"] = self.rfc3339(*ended).into();
            entry["end_reason"] = reason.as_str().into();
        }
        entry
    }

    /// The part of the session's transcript that may be shown.
    pub(super) fn window(&self, session: &Session, from: Option<i64>, to: Option<i64>) -> Window {
        let (started, until) = session.span();
        Window {
            elapsed: (until - started).as_secs(),
            deleted_until: session.events_deleted.map(|deleted| (deleted - started).as_secs()),
            started: self.unix(started),
            from,
            to,
        }
    }

    fn unix(&self, moment: Instant) -> i64 {
        EPOCH.saturating_add_unsigned((moment - self.origin).as_secs())
    }

    fn rfc3339(&self, moment: Instant) -> String {
        let moment = DateTime::from_timestamp(self.unix(moment), 0).unwrap_or(DateTime::UNIX_EPOCH);
        moment.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

impl Session {
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    /// What start returns.
    pub(super) fn start_data(&self) -> Value {
        let id = self.id;
        let terms = &self.terms;
        let room = json!({ "video": { "room": id, "roomJoin": true } });
        // With an own room it is not known what the two fields hold; repeating the caller's values stays joinable.
        let (url, client) = terms
            .own_room
            .clone()
            .unwrap_or_else(|| (format!("wss://{MEDIA_HOST}/livekit"), token("livekit-client", id, &room)));
        let is_lite = terms.mode == Mode::Lite;
        let agent = (is_lite && terms.own_room.is_none()).then(|| token("livekit-agent", id, &room));
        let nowhere = || format!("wss://{MEDIA_HOST}/{CANARY}-ws_url/{id}");
        let socket = (is_lite && !terms.has_connector).then(|| self.socket.clone().unwrap_or_else(nowhere));
        json!({
            "session_id": id,
            "livekit_url": url,
            "livekit_client_token": client,
            "livekit_agent_token": agent,
            "max_session_duration": terms.max_seconds,
            "ws_url": socket,
        })
    }

    /// Start, and end or now; a session that never started spans nothing.
    fn span(&self) -> (Instant, Instant) {
        let now = Instant::now();
        match self.phase {
            Phase::Minted => (now, now),
            Phase::Running { started, .. } => (started, now),
            Phase::Ended { started, ended, .. } => (started, ended),
        }
    }
}

/// Leaves the token out.
impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("id", &self.id)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

/// Something in the shape of a JWT; its signature says what it is.
fn token(purpose: &str, id: Uuid, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({ "alg": "HS256", "typ": "JWT" }));
    format!("{header}.{}.{CANARY}-{purpose}-{}", encode(claims), id.simple())
}
