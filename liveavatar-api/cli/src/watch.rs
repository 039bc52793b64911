//! Following a session that runs elsewhere.

use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt as _, future};
use liveavatar_api::Uuid;
use liveavatar_api::types::{ListHistoricEntry, SessionMode};
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::connect::{Interrupt, Service};
use crate::output::{Failure, Output};
use crate::session::said;

#[derive(Args)]
pub(crate) struct Watch {
    /// The session's id
    session_id: Uuid,
    /// Asks the service so often
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    every: u64,
}

impl Watch {
    /// Tells of every change, until the session ends; Ctrl-C ends the watching alone.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut interrupt = Interrupt::new()?;
        let session = service.client()?.session(self.session_id);
        let every = Duration::from_secs(self.every);
        let mut seen = session.details().await?;
        tell(output, &seen, None);
        // LITE sessions have none: what is said there passes the service by.
        let has_transcript = seen.mode.known() == Some(&SessionMode::Full);
        let lines = if has_transcript {
            session.follow_transcript(every).left_stream()
        } else {
            futures_util::stream::empty().right_stream()
        };
        tokio::pin!(lines);
        let mut reading = true;
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while reading || !has_ended(&seen) {
            let line = if reading {
                future::Either::Left(lines.next())
            } else {
                future::Either::Right(future::pending())
            };
            tokio::select! {
                () = interrupt.wait() => {
                    output.progress("no longer watched; the session goes on");
                    return Ok(());
                }
                line = line => match line {
                    Some(line) => {
                        let line = line?;
                        let text = said(&line);
                        output.told(json!({"event": "said", "line": line}), &text);
                    }
                    None => reading = false,
                },
                _ = ticks.tick(), if !has_ended(&seen) => {
                    let now = session.details().await?;
                    tell(output, &now, Some(&seen));
                    seen = now;
                }
            }
        }
        let reason = seen.end_reason.as_ref().map(ToString::to_string);
        let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
        output.told(
            json!({"event": "ended", "session": seen}),
            &format!(
                "{} has ended after {} s and {} credits: {reason}",
                seen.id, seen.duration, seen.credits_consumed
            ),
        );
        Ok(())
    }
}

fn has_ended(session: &ListHistoricEntry) -> bool {
    session.end_at.is_some() || session.end_reason.is_some()
}

/// Tells where the session stands; people hear of its duration in a status line alone.
fn tell(output: Output, now: &ListHistoricEntry, before: Option<&ListHistoricEntry>) {
    let json = serde_json::to_value(now).unwrap_or_default();
    if before.is_some_and(|before| serde_json::to_value(before).unwrap_or_default() == json) {
        return;
    }
    let sandbox = if now.is_sandbox { ", sandbox" } else { "" };
    let text = format!(
        "{} {} runs: {} s, {} credits{sandbox}",
        now.mode, now.id, now.duration, now.credits_consumed
    );
    let news = before.is_none_or(|before| before.credits_consumed != now.credits_consumed) && !has_ended(now);
    output.event(json!({"event": "status", "session": json}), news.then_some(text.as_str()));
    if !news && !has_ended(now) {
        output.status(&text);
    }
}
