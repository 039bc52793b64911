//! A session that runs as long as the command, for `session start`, `speak` and `doctor`.

use std::sync::Arc;
use std::time::Duration;

use liveavatar_api::Client;
use liveavatar_api::session::{
    EndReason, KEEP_ALIVE_INTERVAL, LiteSession, Mintable, SANDBOX_AVATAR_ID, Session, SessionEvent,
    SessionEvents, State, StopFailed,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Output;
use crate::page;
use crate::service::Service;
use crate::signals::Interrupt;

#[derive(Clone, Copy)]
pub(crate) struct SupervisionOptions {
    /// Whether the session is replaced before it expires.
    pub(crate) rotates: bool,
    pub(crate) keep_alive_interval: Duration,
}

impl Default for SupervisionOptions {
    fn default() -> Self {
        Self { rotates: false, keep_alive_interval: KEEP_ALIVE_INTERVAL }
    }
}

pub(crate) struct ForegroundSession<M> {
    client: Client,
    session: Arc<Session<M>>,
    events: SessionEvents,
    interrupt: Interrupt,
    output: Output,
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

/// Opens a session like [`open`], with a client.
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
    output.progress("starting a session; press Ctrl-C to stop it");
    let session = tokio::select! {
        session = open => session?,
        () = interrupt.wait() => {
            output.progress("stopping the session");
            tokio::select! {
                failed = client.shutdown() => all_stopped(&failed)?,
                () = interrupt.wait_again() => return Err(not_confirmed_stopped(&client)),
            }
            let ended = json!({"event": "ended", "session_id": null, "reason": "stopped"});
            output.print_as(ended, "no session is running");
            return Ok(None);
        }
    };
    let events = session.events();
    let foreground = ForegroundSession { client, session: Arc::new(session), events, interrupt, output };
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
        let Some(page) = page else {
            self.run(std::future::pending::<()>()).await;
            return self.stop().await.map(drop);
        };
        self.run(page.run(&session)).await;
        let stopped = self.stop().await;
        page.finish(&session).await;
        stopped.map(drop)
    }

    /// Stops the session and waits until that is confirmed, or until a second Ctrl-C.
    pub(crate) async fn stop(self) -> Result<EndReason, Failure> {
        let Self { client, session, mut interrupt, output, .. } = self;
        if !session.state().is_over() {
            output.progress("stopping the session");
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
        let (id, reason) = (session.id(), end_reason(&end));
        output.print_as(
            json!({"event": "ended", "session_id": id, "reason": reason}),
            &format!("session {id} ended: {reason}"),
        );
        Ok(end)
    }

    fn print_started(&self) {
        let session = serde_json::to_value(&*self.session.started()).unwrap_or_default();
        let text = self.output.text_of(&session);
        self.output.print_as(json!({"event": "started", "session": session}), &text);
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
                self.output.print_as(data, &format!("session {to} replaces {from}; join the new session"));
                self.print_started();
            }
            SessionEvent::RotationFailed(error) => self.output.warn("rotation_failed", &error),
            SessionEvent::KeepAliveFailed(error) => self.output.warn("keep_alive_failed", &error),
            _ => {}
        }
    }
}

/// Returns why a session ended, in the words of the JSON output.
pub(crate) fn end_reason(reason: &EndReason) -> String {
    match reason {
        EndReason::Stopped | EndReason::Dropped => "stopped".to_owned(),
        EndReason::MaxDuration => "max_duration".to_owned(),
        EndReason::Service(Some(reason)) => format!("service: {reason}"),
        _ => "service".to_owned(),
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
