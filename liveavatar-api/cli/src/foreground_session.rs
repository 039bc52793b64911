//! A session that runs as long as the command, for `session start`, `speak` and `doctor`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use liveavatar_api::session::{
    EndReason, KEEP_ALIVE_INTERVAL, LiteSession, Mintable, SANDBOX_AVATAR_ID, Session, SessionEvent,
    SessionEvents, State, StopFailed,
};
use liveavatar_api::types::ListHistoricEntry;
use liveavatar_api::{Client, Credits, RequestOptions, Uuid};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::ending::{self, credits_used, end_reason};
use crate::failure::Failure;
use crate::output::{Format, Output, Secrets};
use crate::page;
use crate::service::Service;
use crate::signals::Interrupt;
use crate::terminal::printable;

const COUNTDOWN_INTERVAL: Duration = Duration::from_secs(1);

/// How often the service is asked for the credits used. It charges by the minute.
const CREDITS_INTERVAL: Duration = Duration::from_secs(15);

/// How long the cost of a session that has ended may take to arrive.
const DETAILS_TIMEOUT: Duration = Duration::from_secs(3);

/// LiveKit's own page for joining a room with an address and a token.
const ROOM_PAGE: &str = "https://meet.livekit.io/custom";

#[derive(Clone, Copy)]
pub(crate) struct SupervisionOptions {
    /// Whether the session is replaced before it expires.
    pub(crate) rotates: bool,
    pub(crate) keep_alive_interval: Duration,
    /// Whether a page in the browser shows the session.
    pub(crate) has_page: bool,
}

impl Default for SupervisionOptions {
    fn default() -> Self {
        Self { rotates: false, keep_alive_interval: KEEP_ALIVE_INTERVAL, has_page: false }
    }
}

pub(crate) struct ForegroundSession<M> {
    client: Client,
    session: Arc<Session<M>>,
    events: SessionEvents,
    interrupt: Interrupt,
    output: Output,
    has_page: bool,
}

/// How work during a session ended.
pub(crate) enum Outcome<T> {
    Done(T),
    Interrupted,
    SessionEnded,
}

/// Opens a session. Returns none if an [interrupt](Interrupt) came first; the session is then stopped.
pub(crate) async fn open<C: Mintable<Mode: 'static>>(
    service: &Service,
    configuration: &C,
    options: SupervisionOptions,
    output: Output,
) -> Result<Option<ForegroundSession<C::Mode>>, Failure> {
    open_with(service.client()?, configuration, options, output).await
}

/// Opens a session like [`open()`], with a client.
pub(crate) async fn open_with<C: Mintable<Mode: 'static>>(
    client: Client,
    configuration: &C,
    options: SupervisionOptions,
    output: Output,
) -> Result<Option<ForegroundSession<C::Mode>>, Failure> {
    let mut interrupt = Interrupt::new()?;
    let mut open = client.open(configuration).keep_alive_interval(options.keep_alive_interval);
    if options.rotates {
        open = open.auto_rotate();
    }
    output.step("starting a session; press Ctrl-C to stop it");
    let session = tokio::select! {
        session = open => match session {
            Ok(session) => session,
            Err(error) if error.session_may_run() => {
                // The client stops it in the background, which ends with this process.
                output.step("the start failed; stopping the session for certain takes up to a minute");
                stop_all(&client, &mut interrupt).await?;
                return Err(Failure::StartUndone(error.into()));
            }
            Err(error) => return Err(error.into()),
        },
        () = interrupt.wait() => {
            output.step("stopping the session");
            stop_all(&client, &mut interrupt).await?;
            let ended = json!({"event": "ended", "session_id": null, "end_reason": null, "session": null});
            output.print_as(ended, "no session is running");
            return Ok(None);
        }
    };
    let events = session.events();
    let has_page = options.has_page;
    let foreground =
        ForegroundSession { client, session: Arc::new(session), events, interrupt, output, has_page };
    foreground.print_started();
    Ok(Some(foreground))
}

/// Returns a configuration with the sandbox avatar, which costs no credits.
pub(crate) fn sandbox_configuration() -> Result<LiteSession, Failure> {
    let configuration = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build();
    configuration.map_err(|diagnostics| Failure::Usage(diagnostics.to_string(), None))
}

impl<M> ForegroundSession<M> {
    pub(crate) fn session(&self) -> Arc<Session<M>> {
        Arc::clone(&self.session)
    }

    /// Runs `work` until it is done, Ctrl-C comes or the session ends, and prints the session's events.
    pub(crate) async fn run<T>(&mut self, work: impl Future<Output = T>) -> Outcome<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.interrupt.wait() => return Outcome::Interrupted,
                event = self.events.next() => match event {
                    Some(event) => self.print_event(event),
                    None => return Outcome::SessionEnded,
                },
                done = &mut work => return Outcome::Done(done),
            }
        }
    }

    /// Runs with a page in the browser until Ctrl-C, the session's end or a stop on the page, then stops the session.
    pub(crate) async fn run_with_page(mut self, configuration: &impl Serialize) -> Result<(), Failure> {
        let session = self.session();
        let page = match page::open(&session, configuration, self.output).await {
            Ok(page) => page,
            Err(failure) => {
                self.stop().await?;
                return Err(failure);
            }
        };
        let status = Box::pin(self.show_status());
        let Some(page) = page else {
            self.run(status).await;
            return self.stop().await.map(drop);
        };
        let shown = Box::pin(page.run(&session));
        self.run(async {
            tokio::select! { () = shown => {}, () = status => {} }
        })
        .await;
        let stopped = self.stop().await;
        page.finish(&session).await;
        stopped.map(drop)
    }

    /// Stops the session and waits until that is confirmed, or until a second Ctrl-C.
    pub(crate) async fn stop(self) -> Result<EndReason, Failure> {
        let Self { client, session, mut interrupt, output, .. } = self;
        if !session.state().is_over() {
            output.step("stopping the session");
        }
        let stopping = async {
            session.stop().await?;
            all_stopped(&client.shutdown().await)
        };
        tokio::select! {
            stopped = stopping => stopped?,
            () = interrupt.wait_again() => return Err(not_confirmed_stopped(&client)),
        }
        let State::Ended(end) = session.state() else { return Ok(EndReason::Stopped) };
        if output.format != Format::Silent {
            let id = session.id();
            let once = RequestOptions::new().max_attempts(1).timeout(DETAILS_TIMEOUT);
            let ended = client.with_options(once).session(id);
            let details = tokio::select! {
                details = ended.details() => details.ok(),
                () = interrupt.wait_again() => None,
            };
            ending::print(output, id, end_reason(&end).as_deref(), details.as_ref());
        }
        Ok(end)
    }

    /// Shows the time left and the credits used, for as long as the returned future is polled.
    pub(crate) fn show_status(&self) -> impl Future<Output = ()> + use<M> {
        let (session, output) = (self.session(), self.output);
        async move {
            let credits = RefCell::new(BTreeMap::new());
            tokio::join!(follow_credits(&session, &credits, output), count_down(&session, &credits, output));
        }
    }

    fn print_started(&self) {
        let started = self.session.started();
        let (id, left) = (self.session.id(), self.session.time_left());
        let ends = match left {
            Some(left) => format!("after {} at the latest", duration(left)),
            None => "when it is stopped, or the longest session of the plan is over".to_owned(),
        };
        let (room, see) = match (&started.livekit_url, &started.livekit_client_token) {
            (Some(url), Some(token)) => {
                let see = match self.output.secrets {
                    _ if self.has_page => "on the page below".to_owned(),
                    Secrets::Shown => format!("{ROOM_PAGE}?liveKitUrl={url}&token={}", token.expose()),
                    Secrets::Hidden => "start with --open to see and hear it in the browser".to_owned(),
                };
                (url.as_str(), see)
            }
            _ => ("your own, as configured", "join your room".to_owned()),
        };
        let stop = format!("Ctrl-C or: liveavatar session stop {id}");
        let mut text = String::new();
        let id = id.to_string();
        for (name, value) in
            [("session", id.as_str()), ("room", room), ("ends", &ends), ("see", &see), ("stop", &stop)]
        {
            let _ = writeln!(text, "{name:<8} {}", printable(value));
        }
        let session = serde_json::to_value(&*started).unwrap_or_default();
        self.output.print_as(json!({"event": "started", "session": session}), text.trim_end());
    }

    fn print_event(&self, event: SessionEvent) {
        match event {
            SessionEvent::EndsSoon(left) => {
                let seconds = left.as_secs();
                let data = json!({"event": "ends_soon", "seconds": seconds});
                self.output.print_as(data, &format!("the session ends in {seconds} s"));
            }
            SessionEvent::Rotated { from, to } => {
                let data = json!({"event": "rotated", "from": from, "to": to});
                self.output.print_as(data, &format!("rotated  from {from}; join the new session"));
                self.print_started();
            }
            SessionEvent::RotationFailed(error) => self.output.warn("rotation_failed", &error),
            SessionEvent::KeepAliveFailed(error) => self.output.warn("keep_alive_failed", &error),
            _ => {}
        }
    }
}

/// Credits used, by session, because a rotation starts another one.
type CreditsUsed = RefCell<BTreeMap<Uuid, Credits>>;

/// Asks the service for the credits used, and prints changes as JSON.
async fn follow_credits<M>(session: &Session<M>, credits: &CreditsUsed, output: Output) {
    let mut ticks = interval(CREDITS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A failure leaves the last amount; keep-alives report a service that cannot be reached.
        let Ok(details) = session.details().await else { continue };
        let ListHistoricEntry { id, ref credits_consumed, .. } = details;
        let before = credits.borrow_mut().insert(id, credits_consumed.clone());
        if before.map_or(*credits_consumed != 0, |before| before != *credits_consumed) {
            output.print_as(json!({"event": "status", "session": details}), "");
        }
    }
}

/// Shows the time left and the credits used every second.
async fn count_down<M>(session: &Session<M>, credits: &CreditsUsed, output: Output) {
    let mut ticks = interval(COUNTDOWN_INTERVAL);
    loop {
        ticks.tick().await;
        let left = session.time_left().map_or_else(|| "running".to_owned(), |left| duration(left) + " left");
        let used = credits.borrow().values().filter_map(Credits::amount).reduce(|all, one| all + one);
        let used = used.map(|used| format!(", {}", credits_used(&used.normalize()))).unwrap_or_default();
        output.status(&format!("{left}{used}"));
    }
}

/// Returns a duration in seconds, or in minutes and seconds.
fn duration(time: Duration) -> String {
    // The countdown starts with the whole duration.
    let seconds = time.as_millis().div_ceil(1000);
    match (seconds / 60, seconds % 60) {
        (0 | 1, _) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// Stops all sessions of the client, and waits until that is confirmed, or until a second Ctrl-C.
async fn stop_all(client: &Client, interrupt: &mut Interrupt) -> Result<(), Failure> {
    tokio::select! {
        failed = client.shutdown() => all_stopped(&failed),
        () = interrupt.wait_again() => Err(not_confirmed_stopped(client)),
    }
}

fn all_stopped(failed: &[StopFailed]) -> Result<(), Failure> {
    if failed.is_empty() {
        return Ok(());
    }
    let messages: Vec<_> = failed.iter().map(ToString::to_string).collect();
    let hint = "run `liveavatar session stop --all` to try again";
    Err(Failure::incomplete(messages.join("; "), hint, Value::Null))
}

fn not_confirmed_stopped(client: &Client) -> Failure {
    let ids: Vec<_> = client.sessions().into_keys().map(|id| id.to_string()).collect();
    let hint = format!("run `liveavatar session stop {}` to stop it", ids.join(" "));
    Failure::incomplete("interrupted before the session was confirmed stopped", hint, json!(ids))
}
