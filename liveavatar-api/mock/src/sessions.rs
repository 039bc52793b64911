//! The sessions of one server: their phases, limits and clock. No HTTP here.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::clock::Clock;
use super::transcript::Window;

/// A session without keep-alive ends after this time, by the documentation.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Credits are counted by minutes that have begun.
const MINUTE: Duration = Duration::from_secs(60);
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
    pub(super) llm_configuration_id: Option<String>,
    /// URL and token of the caller's own LiveKit room.
    pub(super) own_room: Option<(String, String)>,
    /// An external agent drives the session, so there is no command socket.
    pub(super) has_connector: bool,
    /// What the token's payload repeats about the request.
    pub(super) claims: Value,
}

impl Terms {
    /// Credits per minute.
    fn rate(&self) -> u64 {
        if self.is_sandbox { 0 } else { self.mode.rate() }
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Minted,
    /// `kept`: somebody asked to keep it alive.
    Running {
        started: Instant,
        heard: Instant,
        kept: bool,
    },
    Ended {
        started: Instant,
        ended: Instant,
        reason: String,
    },
}

/// What comes next in a running session if nobody does anything.
enum Turn {
    End(&'static str),
    Minute,
}

pub(super) struct Session {
    pub(super) id: Uuid,
    pub(super) terms: Terms,
    token: String,
    /// The address of its socket; none leads nowhere.
    socket: Option<String>,
    phase: Phase,
    /// Minutes paid for.
    minutes: u64,
    events_deleted: Option<Instant>,
}

/// Why a session did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartRefusal {
    Running,
    Ended,
    Limit,
    Credits,
}

/// What an account may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Sessions that may run at the same time.
    pub(super) sessions: usize,
    /// Longest session outside the sandbox, in seconds.
    pub(super) seconds: u64,
    /// Credits at the start.
    pub(super) credits: u64,
    /// When a session that was never kept alive is reaped.
    pub(super) reap_after: Option<Duration>,
}

pub(super) struct Sessions {
    clock: Clock,
    pub(super) limits: Limits,
    /// Credits that are left.
    credits: u64,
    /// Where sockets are served, without a slash at its end.
    pub(super) sockets: Option<String>,
    all: Vec<Session>,
}

impl Sessions {
    pub(super) fn new(limits: Limits, clock: Clock) -> Sessions {
        Sessions { clock, limits, credits: limits.credits, sockets: None, all: Vec::new() }
    }

    /// Credits that are left now.
    pub(super) fn credits(&mut self) -> u64 {
        self.settle();
        self.credits
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
            minutes: 0,
            events_deleted: None,
        });
        (id, token)
    }

    pub(super) fn start(&mut self, id: Uuid) -> Result<&Session, StartRefusal> {
        self.settle();
        let is_full = self.running().count() >= self.limits.sessions;
        // A token always belongs to a session; without one there is nothing left to start.
        let session = self.all.iter_mut().find(|session| session.id == id).ok_or(StartRefusal::Ended)?;
        match session.phase {
            Phase::Running { .. } => Err(StartRefusal::Running),
            Phase::Ended { .. } => Err(StartRefusal::Ended),
            Phase::Minted if is_full => Err(StartRefusal::Limit),
            // One minute is held at start.
            Phase::Minted if self.credits < session.terms.rate() => Err(StartRefusal::Credits),
            Phase::Minted => {
                let now = self.clock.now();
                self.credits -= session.terms.rate();
                session.minutes = 1;
                session.phase = Phase::Running { started: now, heard: now, kept: false };
                Ok(session)
            }
        }
    }

    /// Restarts the idle countdown; false when the session is not running.
    #[must_use]
    pub(super) fn keep_alive(&mut self, id: Uuid) -> bool {
        self.settle();
        match self.all.iter_mut().find(|session| session.id == id).map(|session| &mut session.phase) {
            Some(Phase::Running { heard, kept, .. }) => {
                *heard = self.clock.now();
                *kept = true;
                true
            }
            _ => false,
        }
    }

    /// Whether the session is running.
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
                    *phase = Phase::Ended { started, ended: self.clock.now(), reason: reason.to_owned() };
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
            session.events_deleted = Some(self.clock.now());
        }
        true
    }

    /// The terms of a session that a token was minted for.
    pub(super) fn terms(&self, id: Uuid) -> Option<&Terms> {
        self.all.iter().find(|session| session.id == id).map(|session| &session.terms)
    }

    /// Ends the running sessions of an avatar.
    pub(super) fn avatar_deleted(&mut self, avatar_id: &str) {
        self.settle();
        let theirs: Vec<Uuid> = self
            .running()
            .filter(|session| session.terms.avatar_id == avatar_id)
            .map(|session| session.id)
            .collect();
        for id in theirs {
            let _ = self.stop(id, "AVATAR_DELETED");
        }
    }

    /// Lets all that was due until now happen, in its order; do this before any look at the sessions.
    pub(super) fn settle(&mut self) {
        let now = self.clock.now();
        let is_running = |(_, session): &(usize, &Session)| session.is_running();
        let mut running: Vec<usize> =
            self.all.iter().enumerate().filter(is_running).map(|(index, _)| index).collect();
        loop {
            let due = running.iter().filter_map(|&index| {
                let (at, turn) = self.all[index].next_turn(self.limits.reap_after)?;
                // A minute that is over has not begun the next one; its end comes before that.
                let is_due = if matches!(turn, Turn::Minute) { at < now } else { at <= now };
                is_due.then_some((at, matches!(turn, Turn::Minute), index, turn))
            });
            let Some((at, _, index, turn)) = due.min_by_key(|(at, is_minute, ..)| (*at, *is_minute)) else {
                return;
            };
            let session = &mut self.all[index];
            let reason = match turn {
                Turn::Minute if self.credits >= session.terms.rate() => {
                    self.credits -= session.terms.rate();
                    session.minutes += 1;
                    continue;
                }
                Turn::Minute => "NO_CREDITS",
                Turn::End(reason) => reason,
            };
            if let Phase::Running { started, .. } = session.phase {
                session.phase = Phase::Ended { started, ended: at, reason: reason.to_owned() };
            }
            running.retain(|other| *other != index);
        }
    }

    /// The session as the lists show it.
    pub(super) fn entry(&self, session: &Session) -> Value {
        let (started, until) = session.span(self.clock.now());
        let seconds = (until - started).as_secs();
        let mut entry = json!({
            "id": session.id,
            "created_at": self.clock.rfc3339(started),
            "updated_at": self.clock.rfc3339(until),
            "duration": seconds,
            "source": "API",
            "mode": session.terms.mode.as_str(),
            "is_sandbox": session.terms.is_sandbox,
            "credits_consumed": session.minutes * session.terms.rate(),
        });
        if let Phase::Ended { ended, reason, .. } = &session.phase {
            entry["end_at"] = self.clock.rfc3339(*ended).into();
            entry["end_reason"] = reason.as_str().into();
        }
        entry
    }

    /// The part of the session's transcript that may be shown.
    pub(super) fn window(&self, session: &Session, from: Option<i64>, to: Option<i64>) -> Window {
        let (started, until) = session.span(self.clock.now());
        Window {
            elapsed: (until - started).as_secs(),
            deleted_until: session.events_deleted.map(|deleted| (deleted - started).as_secs()),
            started: self.clock.unix(started),
            from,
            to,
        }
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

    /// What comes next if nobody does anything, and when.
    fn next_turn(&self, reap_after: Option<Duration>) -> Option<(Instant, Turn)> {
        let Phase::Running { started, heard, kept } = self.phase else { return None };
        // A moment beyond what the clock can say never comes.
        let at = |from: Instant, time: Option<Duration>, turn| Some((from.checked_add(time?)?, turn));
        let limit = Duration::from_secs(self.terms.max_seconds);
        let reaped = reap_after.filter(|_| !kept);
        let paid = u32::try_from(self.minutes).ok().and_then(|minutes| MINUTE.checked_mul(minutes));
        [
            at(started, Some(limit), Turn::End("MAX_DURATION_REACHED")),
            at(heard, Some(IDLE_TIMEOUT), Turn::End("IDLE_TIMEOUT")),
            at(started, reaped, Turn::End("ZOMBIE_SESSION_REAP")),
            at(started, paid.filter(|_| self.terms.rate() > 0), Turn::Minute),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    /// Start, and end or now; a session that never started spans nothing.
    fn span(&self, now: Instant) -> (Instant, Instant) {
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
