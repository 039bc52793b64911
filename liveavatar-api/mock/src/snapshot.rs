//! The state of a server in one JSON value, for readers of the control API.

use serde_json::{Value, json};

use crate::document;
use crate::fault::Mutation;
use crate::shared::Shared;
use crate::socket_activity::SocketActivity;
use crate::state::lock;
use liveavatar_api::realtime::audio;

/// Newest sessions that a snapshot contains.
const MAX_SESSIONS: usize = 100;

pub(crate) fn take(shared: &Shared) -> Value {
    let now = shared.clock.now();
    let mut state = lock(&shared.state);
    let credits = state.sessions.credits();
    let sessions = &state.sessions;
    let (used, total) = (sessions.running().count(), sessions.all().len());
    let (limit, newest) = (sessions.limits.sessions, sessions.all().iter().rev().take(MAX_SESSIONS));
    let mut shown: Vec<(_, Value)> = newest.map(|session| (session.id, sessions.overview(session))).collect();
    drop(state);
    let monitor = lock(&shared.monitor);
    for (id, session) in &mut shown {
        session["socket"] = monitor.sessions.get(id).map(SocketActivity::json).into();
        session["heard_seconds"] = audio::duration(monitor.heard_bytes(*id)).as_secs_f64().into();
    }
    let records_audio = monitor.records_audio();
    drop(monitor);
    let faults: Vec<Value> = lock(&shared.faults)
        .queued
        .iter()
        .filter(|queued| queued.times > 0)
        .map(|queued| {
            json!({
                "id": queued.id,
                "operation": queued.operation,
                "times": queued.times,
                "fault": queued.fault.json(),
            })
        })
        .collect();
    json!({
        "url": shared.url,
        "now": shared.clock.rfc3339(now),
        "credits": credits,
        "slots": { "used": used, "limit": limit },
        "records_audio": records_audio,
        "sessions_total": total,
        "sessions": shown.into_iter().map(|(_, session)| session).collect::<Vec<_>>(),
        "faults": faults,
        "room_faults": room_faults(shared),
        "operations": document::all().iter().map(|operation| &operation.name).collect::<Vec<_>>(),
        "mutations": Mutation::ALL.map(|mutation| format!("{mutation:?}")),
    })
}

/// Returns the faults of rooms; null if the server lacks rooms.
fn room_faults(shared: &Shared) -> Value {
    #[cfg(feature = "room")]
    let faults = shared.rooms.as_ref().map(|rooms| rooms.faults().json());
    #[cfg(not(feature = "room"))]
    let faults: Option<Vec<Value>> = {
        let _ = shared;
        None
    };
    json!(faults)
}
