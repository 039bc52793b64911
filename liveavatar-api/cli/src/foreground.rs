//! A session that a command keeps running, and stops before it leaves.

use std::sync::Arc;
use std::time::Duration;

use liveavatar_api::Client;
use liveavatar_api::session::{
    EndReason, KEEP_ALIVE_INTERVAL, Mintable, Session, SessionEvent, SessionEvents, State, StopFailed,
};
use serde_json::{Value, json};

use crate::connect::{Interrupt, Service};
use crate::output::{Failure, Output};

/// How the session is looked after.
#[derive(Clone, Copy)]
pub(crate) struct Upkeep {
    pub(crate) rotation: Rotation,
    pub(crate) keep_alive_interval: Duration,
}

/// What becomes of a session whose time is nearly over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    None,
    /// A fresh one takes its place.
    Wanted,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self { rotation: Rotation::None, keep_alive_interval: KEEP_ALIVE_INTERVAL }
    }
}

pub(crate) struct Foreground<M> {
    client: Client,
    session: Arc<Session<M>>,
    events: SessionEvents,
    interrupt: Interrupt,
    output: Output,
}

/// What became of work beside a session.
pub(crate) enum Beside<T> {
    Done(T),
    Interrupted,
    /// The session has ended first.
    Ended,
}

/// Opens a session; none if Ctrl-C came first, and then nothing runs.
pub(crate) async fn open<C: Mintable<Mode: 'static>>(
    service: &Service,
    configuration: &C,
    upkeep: Upkeep,
    output: Output,
) -> Result<Option<Foreground<C::Mode>>, Failure> {
    let client = service.client()?;
    let mut interrupt = Interrupt::new()?;
    let mut opening = client.open(configuration).keep_alive_interval(upkeep.keep_alive_interval);
    if upkeep.rotation == Rotation::Wanted {
        opening = opening.auto_rotate();
    }
    output.progress("starting; Ctrl-C stops the session");
    let opened = tokio::select! {
        opened = opening => Some(opened?),
        () = interrupt.wait() => None,
    };
    let Some(session) = opened else {
        output.progress("stopping what was begun");
        let left = tokio::select! {
            left = client.shutdown() => left,
            () = interrupt.wait() => return Err(gave_up(&client)),
        };
        all_stopped(&left)?;
        output.told(json!({"event": "ended", "session_id": null, "reason": "stopped"}), "nothing runs");
        return Ok(None);
    };
    let events = session.events();
    let foreground = Foreground { client, session: Arc::new(session), events, interrupt, output };
    foreground.started();
    Ok(Some(foreground))
}

impl<M> Foreground<M> {
    pub(crate) fn session(&self) -> Arc<Session<M>> {
        Arc::clone(&self.session)
    }

    /// Works until it is done, Ctrl-C comes or the session ends, and tells what happens to the session meanwhile.
    pub(crate) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Beside<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.interrupt.wait() => return Beside::Interrupted,
                event = self.events.next() => match event {
                    Some(event) => self.tell(event),
                    None => return Beside::Ended,
                },
                done = &mut work => return Beside::Done(done),
            }
        }
    }

    /// Stops the session unless it has ended, and waits for it; a second Ctrl-C is not patient.
    pub(crate) async fn leave(self) -> Result<EndReason, Failure> {
        let Self { client, session, mut interrupt, output, .. } = self;
        if !session.state().is_over() {
            output.progress("stopping");
        }
        let stopping = async {
            session.stop().await?;
            all_stopped(&client.shutdown().await)
        };
        tokio::select! {
            stopped = stopping => stopped?,
            () = interrupt.wait() => return Err(gave_up(&client)),
        }
        let State::Ended(reason) = session.state() else { return Ok(EndReason::Stopped) };
        let said = said(&reason);
        let id = session.id();
        output.told(
            json!({"event": "ended", "session_id": id, "reason": said}),
            &format!("{id} has ended: {said}"),
        );
        Ok(reason)
    }

    fn started(&self) {
        let answer = serde_json::to_value(&*self.session.started()).unwrap_or_default();
        let people = self.output.text_of(&answer);
        self.output.told(json!({"event": "started", "session": answer}), &people);
    }

    fn tell(&self, event: SessionEvent) {
        let output = self.output;
        match event {
            SessionEvent::EndsSoon(left) => {
                let seconds = left.as_secs();
                output
                    .told(json!({"event": "ends_soon", "seconds": seconds}), &format!("ends in {seconds} s"));
            }
            SessionEvent::Rotated { from, to } => {
                output.told(
                    json!({"event": "rotated", "from": from, "to": to}),
                    &format!("{from} is replaced by {to}: join again"),
                );
                self.started();
            }
            SessionEvent::RotationFailed(error) => output.notice("rotation_failed", &error),
            SessionEvent::KeepAliveFailed(error) => output.notice("keep_alive_failed", &error),
            _ => {}
        }
    }
}

/// Why a session has ended.
pub(crate) fn said(reason: &EndReason) -> String {
    match reason {
        EndReason::Stopped | EndReason::Dropped => "stopped".to_owned(),
        EndReason::MaxDuration => "max_duration".to_owned(),
        EndReason::Service(Some(reason)) => format!("service: {reason}"),
        _ => "service".to_owned(),
    }
}

/// What may still run and cost, after everything was done to stop it.
fn all_stopped(unstopped: &[StopFailed]) -> Result<(), Failure> {
    if unstopped.is_empty() {
        return Ok(());
    }
    let all: Vec<_> = unstopped.iter().map(ToString::to_string).collect();
    Err(Failure::Failed {
        message: all.join("; "),
        hint: "`liveavatar session stop --all` tries again".to_owned(),
        data: Value::Null,
    })
}

fn gave_up(client: &Client) -> Failure {
    let ids: Vec<_> = client.sessions().into_keys().map(|id| id.to_string()).collect();
    Failure::Failed {
        message: "left before it was certain that the session is stopped".to_owned(),
        hint: format!("`liveavatar session stop {}` makes sure", ids.join(" ")),
        data: json!(ids),
    }
}
