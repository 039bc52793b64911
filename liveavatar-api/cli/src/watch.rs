//! `session watch`: following a session of any process.

use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt as _, future, stream};
use liveavatar_api::Uuid;
use liveavatar_api::types::{ListHistoricEntry, SessionMode};
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::ending;
use crate::failure::Failure;
use crate::output::Output;
use crate::service::Service;
use crate::signals::Interrupt;
use crate::terminal::printable;
use crate::transcript;

#[derive(Args)]
pub(crate) struct Watch {
    /// ID of the session
    session_id: Uuid,
    /// Polling interval
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    every: u64,
}

impl Watch {
    /// Prints every change until the session ends or Ctrl-C, which does not stop the session.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut interrupt = Interrupt::new()?;
        let session = service.client()?.session(self.session_id);
        let interval = Duration::from_secs(self.every);
        let mut details = session.details().await?;
        print_details(output, &details, None);
        // Only FULL sessions have a transcript.
        let transcript = if details.mode.known() == Some(&SessionMode::Full) {
            session.follow_transcript(interval).left_stream()
        } else {
            stream::empty().right_stream()
        };
        let (mut ticks, mut transcript_open) = (tokio::time::interval(interval), true);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(transcript);
        while transcript_open || !has_ended(&details) {
            let next = if transcript_open {
                future::Either::Left(transcript.next())
            } else {
                future::Either::Right(future::pending())
            };
            tokio::select! {
                () = interrupt.wait() => {
                    output.progress("stopped watching; the session still runs");
                    return Ok(());
                }
                line = next => match line {
                    Some(line) => {
                        let line = line?;
                        let text = transcript::line(&line);
                        output.print_as(json!({"event": "said", "line": line}), &text);
                    }
                    None => transcript_open = false,
                },
                _ = ticks.tick(), if !has_ended(&details) => {
                    let now = session.details().await?;
                    print_details(output, &now, Some(&details));
                    details = now;
                }
            }
        }
        let reason = details.end_reason.as_ref().map(ToString::to_string);
        ending::print(output, details.id, reason.as_deref(), Some(&details));
        Ok(())
    }
}

fn has_ended(session: &ListHistoricEntry) -> bool {
    session.end_at.is_some() || session.end_reason.is_some()
}

/// Prints changed details. As text, a line for new credits and otherwise only a status line.
fn print_details(output: Output, now: &ListHistoricEntry, before: Option<&ListHistoricEntry>) {
    let json = serde_json::to_value(now).unwrap_or_default();
    if before.is_some_and(|before| serde_json::to_value(before).unwrap_or_default() == json) {
        return;
    }
    let sandbox = if now.is_sandbox { ", sandbox" } else { "" };
    let text = format!(
        "{} session {}: {} s, {} credits{sandbox}",
        printable(&now.mode.to_string()),
        now.id,
        now.duration,
        now.credits_consumed
    );
    let new_credits = before.is_none_or(|before| before.credits_consumed != now.credits_consumed);
    let line = if new_credits && !has_ended(now) { text.as_str() } else { "" };
    output.print_as(json!({"event": "status", "session": json}), line);
    if !new_credits && !has_ended(now) {
        output.status(&text);
    }
}
