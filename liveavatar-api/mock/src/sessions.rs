//! The sessions of one server: phases, limits and credits, without HTTP.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::Clock;
use crate::transcript::{Line, Window};

/// A session without a keep-alive ends after this time (documentation).
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Credits are charged per started minute.
const MINUTE: Duration = Duration::from_secs(60);
/// Numbered ids start here, with the version and variant bits of a random UUID.
const ID_BASE: u128 = 0x5e55_1001_0000_4000_8000_0000_0000_0000;
/// Part of every token, so that tests can search logs for it.
const CANARY: &str = "canary";
/// A name that never resolves (RFC 2606), because the mock serves no media.
const MEDIA_HOST: &str = "media.invalid";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Full,
    Lite,
}

impl Mode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Mode::Full => "FULL",
            Mode::Lite => "LITE",
        }
    }
}

/// The LiveKit server that `livekit_url` names.
#[derive(Clone)]
pub(crate) struct LiveKit {
    pub(crate) url: String,
    /// Returns the token of a role, `client` or `agent`, for the room of a session; it is valid for some seconds.
    pub(crate) token: fn(session: Uuid, role: &str, seconds: u64) -> String,
}

/// A server that does not exist.
impl Default for LiveKit {
    fn default() -> LiveKit {
        LiveKit {
            url: format!("wss://{MEDIA_HOST}/livekit"),
            token: |id, role, _| {
                let room = json!({ "video": { "room": id, "roomJoin": true } });
                token(&format!("livekit-{role}"), id, &room)
            },
        }
    }
}

/// The configuration for which a token was minted.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) mode: Mode,
    pub(crate) is_sandbox: bool,
    pub(crate) max_seconds: u64,
    pub(crate) avatar_id: String,
    pub(crate) context_id: Option<String>,
    pub(crate) llm_configuration_id: Option<String>,
    /// URL and token of the caller's own LiveKit room.
    pub(crate) own_room: Option<(String, String)>,
    /// Whether an external agent drives the session; such a session lacks a command socket.
    pub(crate) has_connector: bool,
    #[cfg(feature = "room")]
    pub(crate) uses_push_to_talk: bool,
    /// The part of the request that the token's payload repeats.
    pub(crate) claims: Value,
}

impl Terms {
    /// Credits per minute (documentation).
    fn rate(&self) -> u64 {
        match self.mode {
            _ if self.is_sandbox => 0,
            Mode::Full => 2,
            Mode::Lite => 1,
        }
    }
}

enum Phase {
    Minted,
    Running { started: Instant, last_activity: Instant, was_kept_alive: bool },
    Ended { started: Instant, ended: Instant, reason: String },
}

/// A change of a running session that depends only on time.
enum Transition {
    /// Ends for this reason.
    End(&'static str),
    /// The next minute begins.
    Minute,
}

pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) terms: Terms,
    token: String,
    /// URL of its command socket; `None` if the server serves no sockets.
    socket: Option<String>,
    phase: Phase,
    charged_minutes: u64,
    events_deleted: Option<Instant>,
    /// What was said in its room.
    said: Vec<(Instant, &'static str, String)>,
}

/// Why a session did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartError {
    Running,
    Ended,
    Limit,
    Credits,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Sessions that may run at the same time.
    pub(crate) sessions: usize,
    /// Longest session outside the sandbox, in seconds.
    pub(crate) seconds: u64,
    /// Initial credits.
    pub(crate) credits: u64,
    /// A session that was never kept alive ends after this time.
    pub(crate) zombie_timeout: Option<Duration>,
}

pub(crate) struct Sessions {
    clock: Clock,
    pub(crate) limits: Limits,
    /// Remaining credits.
    credits: u64,
    /// Base URL of the command sockets, without a trailing slash.
    pub(crate) socket_base: Option<String>,
    pub(crate) livekit: LiveKit,
    pub(crate) overlapping_transcripts: bool,
    /// Whether transcripts contain what was said in the room, in place of generated lines.
    pub(crate) records_speech: bool,
    /// Notified when a session starts or ends.
    changes: watch::Sender<()>,
    all: Vec<Session>,
}

impl Sessions {
    pub(crate) fn new(limits: Limits, clock: Clock) -> Sessions {
        Sessions {
            clock,
            limits,
            credits: limits.credits,
            socket_base: None,
            livekit: LiveKit::default(),
            overlapping_transcripts: false,
            records_speech: false,
            changes: watch::Sender::new(()),
            all: Vec::new(),
        }
    }

    pub(crate) fn credits(&mut self) -> u64 {
        self.settle();
        self.credits
    }

    /// Sets the remaining credits, after charging the minutes that have begun.
    pub(crate) fn set_credits(&mut self, credits: u64) {
        self.settle();
        self.credits = credits;
    }

    /// Returns the session for which a token was minted, in any phase.
    pub(crate) fn session_of_token(&self, token: &str) -> Option<Uuid> {
        self.all.iter().find(|session| session.token == token).map(|session| session.id)
    }

    /// Mints a token for a new session.
    pub(crate) fn mint(&mut self, terms: Terms) -> (Uuid, String) {
        let id = Uuid::from_u128(ID_BASE + self.all.len() as u128 + 1);
        let token = token("session", id, &json!({ "session_id": id, "start_session_data": terms.claims }));
        self.all.push(Session {
            id,
            terms,
            token: token.clone(),
            socket: self.socket_base.as_ref().map(|base| format!("{base}/{CANARY}-ws_url/{id}")),
            phase: Phase::Minted,
            charged_minutes: 0,
            events_deleted: None,
            said: Vec::new(),
        });
        (id, token)
    }

    pub(crate) fn start(&mut self, id: Uuid) -> Result<&Session, StartError> {
        self.settle();
        let is_full = self.running().count() >= self.limits.sessions;
        // Cannot fail: every token belongs to a session.
        let session = find(&mut self.all, id).ok_or(StartError::Ended)?;
        match session.phase {
            Phase::Running { .. } => Err(StartError::Running),
            Phase::Ended { .. } => Err(StartError::Ended),
            Phase::Minted if is_full => Err(StartError::Limit),
            // The first minute is charged at start.
            Phase::Minted if self.credits < session.terms.rate() => Err(StartError::Credits),
            Phase::Minted => {
                let now = self.clock.now();
                self.credits -= session.terms.rate();
                session.charged_minutes = 1;
                session.phase = Phase::Running { started: now, last_activity: now, was_kept_alive: false };
                self.changes.send_replace(());
                Ok(session)
            }
        }
    }

    /// Restarts the idle timeout; returns false if the session is not running.
    #[must_use]
    pub(crate) fn keep_alive(&mut self, id: Uuid) -> bool {
        self.settle();
        match find(&mut self.all, id).map(|session| &mut session.phase) {
            Some(Phase::Running { last_activity, was_kept_alive, .. }) => {
                *last_activity = self.clock.now();
                *was_kept_alive = true;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn is_running(&mut self, id: Uuid) -> bool {
        self.settle();
        self.running().any(|session| session.id == id)
    }

    /// Ends a running session; returns false if it is not running.
    #[must_use]
    pub(crate) fn stop(&mut self, id: Uuid, reason: &str) -> bool {
        self.settle();
        let now = self.clock.now();
        let is_ended = find(&mut self.all, id).is_some_and(|session| session.end(now, reason));
        self.changes.send_replace(());
        is_ended
    }

    /// Returns the running sessions, oldest first.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Session> {
        self.all.iter().filter(|session| session.is_running())
    }

    /// Returns the ended sessions, oldest first.
    pub(crate) fn ended(&self) -> impl Iterator<Item = &Session> {
        self.all.iter().filter(|session| matches!(session.phase, Phase::Ended { .. }))
    }

    /// Returns a session that was started; a session that only has a token is not visible.
    pub(crate) fn started(&self, id: &str) -> Option<&Session> {
        let id = Uuid::parse_str(id).ok()?;
        self.all.iter().find(|session| session.id == id && !matches!(session.phase, Phase::Minted))
    }

    /// Deletes the transcript so far; returns false if no such session was started.
    #[must_use]
    pub(crate) fn delete_events(&mut self, id: &str) -> bool {
        self.settle();
        let now = self.clock.now();
        let id = self.started(id).map(|session| session.id);
        let session = id.and_then(|id| find(&mut self.all, id));
        session.map(|session| session.events_deleted = Some(now)).is_some()
    }

    pub(crate) fn terms(&self, id: Uuid) -> Option<&Terms> {
        self.all.iter().find(|session| session.id == id).map(|session| &session.terms)
    }

    /// Ends the running sessions of an avatar.
    pub(crate) fn avatar_deleted(&mut self, avatar_id: &str) {
        self.settle();
        let now = self.clock.now();
        for session in self.all.iter_mut().filter(|session| session.terms.avatar_id == avatar_id) {
            session.end(now, "AVATAR_DELETED");
        }
        self.changes.send_replace(());
    }

    /// Applies all transitions that are due, in order; call it before reading sessions.
    pub(crate) fn settle(&mut self) {
        let now = self.clock.now();
        let is_running = |(_, session): &(usize, &Session)| session.is_running();
        let mut running: Vec<usize> =
            self.all.iter().enumerate().filter(is_running).map(|(index, _)| index).collect();
        loop {
            let due = running.iter().filter_map(|&index| {
                let (at, transition) = self.all[index].next_transition(self.limits.zombie_timeout)?;
                // A minute begins just after the previous one has elapsed; an end is due exactly at its time.
                let is_due = if matches!(transition, Transition::Minute) { at < now } else { at <= now };
                is_due.then_some((at, matches!(transition, Transition::Minute), index, transition))
            });
            let Some((at, _, index, transition)) = due.min_by_key(|(at, is_minute, ..)| (*at, *is_minute))
            else {
                return;
            };
            let session = &mut self.all[index];
            let reason = match transition {
                Transition::Minute if self.credits >= session.terms.rate() => {
                    self.credits -= session.terms.rate();
                    session.charged_minutes += 1;
                    continue;
                }
                Transition::Minute => "NO_CREDITS",
                Transition::End(reason) => reason,
            };
            session.end(at, reason);
            self.changes.send_replace(());
            running.retain(|other| *other != index);
        }
    }

    /// Returns the session as lists contain it.
    pub(crate) fn entry(&self, session: &Session) -> Value {
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
            "credits_consumed": session.charged_minutes * session.terms.rate(),
        });
        if let Phase::Ended { ended, reason, .. } = &session.phase {
            entry["end_at"] = self.clock.rfc3339(*ended).into();
            entry["end_reason"] = reason.as_str().into();
        }
        entry
    }

    /// Returns all sessions, oldest first, including those that only have a token.
    pub(crate) fn all(&self) -> &[Session] {
        &self.all
    }

    /// Returns the session as the control API shows it.
    pub(crate) fn overview(&self, session: &Session) -> Value {
        let mut overview = self.entry(session);
        overview["avatar_id"] = session.terms.avatar_id.as_str().into();
        overview["state"] = match &session.phase {
            Phase::Minted => "token only",
            Phase::Running { .. } => "running",
            Phase::Ended { .. } => "ended",
        }
        .into();
        if let Phase::Running { started, last_activity, .. } = session.phase {
            let now = self.clock.now();
            let left = |from: Instant, limit: Duration| limit.saturating_sub(now - from).as_secs();
            let limit = Duration::from_secs(session.terms.max_seconds);
            overview["seconds_left"] = left(started, limit).into();
            overview["idle_seconds_left"] = left(last_activity, IDLE_TIMEOUT).into();
        }
        overview
    }

    /// Returns what was said in the session, if it is recorded.
    pub(crate) fn said<'a>(&self, session: &'a Session) -> Option<impl Iterator<Item = Line> + use<'a>> {
        let (started, _) = session.span(self.clock.now());
        let line = move |(at, role, text): &'a (Instant, &'static str, String)| {
            let second = at.saturating_duration_since(started).as_secs();
            Line { second, role, text: text.clone() }
        };
        self.records_speech.then(|| session.said.iter().map(line))
    }

    /// Returns the readable part of the session's transcript.
    pub(crate) fn window(&self, session: &Session, from: Option<i64>, to: Option<i64>) -> Window {
        let (started, until) = session.span(self.clock.now());
        Window {
            elapsed: (until - started).as_secs(),
            deleted_until: session.events_deleted.map(|deleted| (deleted - started).as_secs()),
            started: self.clock.unix(started),
            from,
            to,
            overlap: self.overlapping_transcripts,
        }
    }
}

#[cfg(feature = "room")]
impl Sessions {
    /// Returns a receiver that is notified when a session starts or ends.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Adds a line to the transcript of a running session.
    pub(crate) fn say(&mut self, id: Uuid, role: &'static str, text: &str) {
        let now = self.clock.now();
        if let Some(session) = find(&mut self.all, id).filter(|session| session.is_running()) {
            session.said.push((now, role, text.to_owned()));
        }
    }

    pub(crate) fn end_reason(&self, id: Uuid) -> Option<&str> {
        match &self.all.iter().find(|session| session.id == id)?.phase {
            Phase::Ended { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

fn find(sessions: &mut [Session], id: Uuid) -> Option<&mut Session> {
    sessions.iter_mut().find(|session| session.id == id)
}

impl Session {
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    /// Ends the session; returns false if it is not running.
    fn end(&mut self, ended: Instant, reason: &str) -> bool {
        let Phase::Running { started, .. } = self.phase else { return false };
        self.phase = Phase::Ended { started, ended, reason: reason.to_owned() };
        true
    }

    pub(crate) fn start_data(&self, livekit: &LiveKit) -> Value {
        let id = self.id;
        let terms = &self.terms;
        let token = |role| (livekit.token)(id, role, terms.max_seconds);
        // What the service returns for the caller's own room is not recorded; the caller's values can be joined.
        let own_room = terms.own_room.clone();
        let (url, client) = own_room.unwrap_or_else(|| (livekit.url.clone(), token("client")));
        let is_lite = terms.mode == Mode::Lite;
        let agent = (is_lite && terms.own_room.is_none()).then(|| token("agent"));
        let unreachable = || format!("wss://{MEDIA_HOST}/{CANARY}-ws_url/{id}");
        let socket =
            (is_lite && !terms.has_connector).then(|| self.socket.clone().unwrap_or_else(unreachable));
        json!({
            "session_id": id,
            "livekit_url": url,
            "livekit_client_token": client,
            "livekit_agent_token": agent,
            "max_session_duration": terms.max_seconds,
            "ws_url": socket,
        })
    }

    fn next_transition(&self, zombie_timeout: Option<Duration>) -> Option<(Instant, Transition)> {
        let Phase::Running { started, last_activity, was_kept_alive } = self.phase else { return None };
        // An instant that the clock cannot represent is never reached.
        let at = |from: Instant, time: Option<Duration>, next| Some((from.checked_add(time?)?, next));
        let limit = Duration::from_secs(self.terms.max_seconds);
        let zombie_timeout = zombie_timeout.filter(|_| !was_kept_alive);
        let paid = u32::try_from(self.charged_minutes).ok().and_then(|minutes| MINUTE.checked_mul(minutes));
        [
            at(started, Some(limit), Transition::End("MAX_DURATION_REACHED")),
            at(last_activity, Some(IDLE_TIMEOUT), Transition::End("IDLE_TIMEOUT")),
            at(started, zombie_timeout, Transition::End("ZOMBIE_SESSION_REAP")),
            at(started, paid.filter(|_| self.terms.rate() > 0), Transition::Minute),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    /// Returns the start, and the end or `now`; both are `now` before the start.
    fn span(&self, now: Instant) -> (Instant, Instant) {
        match self.phase {
            Phase::Minted => (now, now),
            Phase::Running { started, .. } => (started, now),
            Phase::Ended { started, ended, .. } => (started, ended),
        }
    }
}

/// Returns a token in the form of a JWT; its signature contains the purpose.
fn token(purpose: &str, id: Uuid, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({ "alg": "HS256", "typ": "JWT" }));
    format!("{header}.{}.{CANARY}-{purpose}-{}", encode(claims), id.simple())
}
