//! How a session ended, in the same words everywhere: those of the service's records.

use liveavatar_api::Uuid;
use liveavatar_api::session::EndReason;
use liveavatar_api::types::{ListHistoricEntry, SessionEndReason};
use serde_json::json;

use crate::output::Output;
use crate::terminal::printable;

/// Returns the service's word for why a session ended; none if it gave no reason.
pub(crate) fn end_reason(end: &EndReason) -> Option<String> {
    let reason = match end {
        EndReason::Stopped => SessionEndReason::UserClosed,
        EndReason::Dropped => SessionEndReason::UserDisconnected,
        EndReason::MaxDuration => SessionEndReason::MaxDurationReached,
        EndReason::Service(reason) => return reason.as_ref().map(ToString::to_string),
        _ => return None,
    };
    Some(reason.to_string())
}

/// Returns an amount of credits with its noun.
pub(crate) fn credits_used(amount: &impl ToString) -> String {
    let amount = amount.to_string();
    let s = if amount == "1" { "" } else { "s" };
    format!("{amount} credit{s} used")
}

/// Prints the end of a session, with its duration and cost if they are known.
pub(crate) fn print(output: Output, id: Uuid, reason: Option<&str>, details: Option<&ListHistoricEntry>) {
    let used = details.map_or_else(String::new, |details| {
        format!("after {} s, {}: ", details.duration, credits_used(&details.credits_consumed))
    });
    let text = format!("ended    {used}{}", printable(reason.unwrap_or("no reason given")));
    let data = json!({"event": "ended", "session_id": id, "end_reason": reason, "session": details});
    output.print_as(data, &text);
}
