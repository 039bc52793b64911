//! The control API below `/_mock/`, for tests in any language; the crate's documentation describes it.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::document;
use crate::fault::{Failure, Fault, Mutation};
use crate::response::MockResponse;
#[cfg(feature = "room")]
use crate::room::RoomFault;
use crate::shared::Shared;
use crate::snapshot;
use crate::socket_activity::SocketFault;
use crate::state::lock;
use crate::window;
use liveavatar_api::realtime::lite::LiteCommand;

/// The service does not use this prefix.
pub(crate) const PREFIX: &str = "/_mock/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credits {
    credits: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Injected {
    operation: String,
    #[serde(default = "once")]
    times: u32,
    fault: FaultBody,
}

fn once() -> u32 {
    1
}

/// [`Fault`] in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultBody {
    /// In seconds.
    Delayed(f64),
    Before(FailureBody),
    After(FailureBody),
    /// The name of a [`Mutation`].
    Mutated(String),
}

/// [`Failure`] in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FailureBody {
    Disconnect,
    Hang,
    #[serde(untagged)]
    Response(ResponseBody),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseBody {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InjectedSocketFault {
    /// The type of the command that the fault is for, such as `agent.speak`.
    command: String,
    #[serde(default = "once")]
    times: u32,
    #[serde(with = "SocketFaultBody")]
    fault: SocketFault,
}

/// [`SocketFault`] in JSON.
#[derive(Deserialize)]
#[serde(remote = "SocketFault", rename_all = "snake_case")]
enum SocketFaultBody {
    Close(u16),
    Disconnect,
    Hang,
    Garbage(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    reason: String,
}

/// [`RoomFault`] in JSON.
#[cfg(feature = "room")]
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RoomFaultBody {
    /// In seconds.
    LateAvatar(f64),
    NoAvatar,
    NoData,
    PacketLoss(f32),
    Silence,
    Disconnect,
}

/// Returns the response to a control request; `path` follows the prefix.
pub(crate) fn respond(shared: &Shared, parts: &Parts, path: &str, body: &[u8]) -> Response<Body> {
    let rejection = window::reject_foreign(&parts.headers);
    if rejection.is_none() && parts.method == Method::GET && path == "events" {
        return events(shared, parts);
    }
    let response = rejection.map_or_else(|| handle(shared, parts, path, body), Err);
    let (Ok(response) | Err(response)) = response;
    response.into_response("mock-control")
}

/// Returns the events since the one that the reader names, and those to come.
fn events(shared: &Shared, parts: &Parts) -> Response<Body> {
    let last_id = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut response = Response::new(Body::from_stream(shared.journal.stream(last_id)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn handle(shared: &Shared, parts: &Parts, path: &str, body: &[u8]) -> Result<MockResponse, MockResponse> {
    let segments: Vec<&str> = path.split('/').collect();
    match (&parts.method, &segments[..]) {
        (&Method::GET, ["state"]) => return Ok(MockResponse::json(200, snapshot::take(shared))),
        (&Method::POST, ["clock"]) => {
            shared.clock.advance(duration(read::<Advance>(body)?.seconds)?);
        }
        (&Method::GET, ["credits"]) => {
            let credits = lock(&shared.state).sessions.credits();
            return Ok(MockResponse::json(200, json!({ "credits": credits })));
        }
        (&Method::PUT, ["credits"]) => {
            let Credits { credits } = read(body)?;
            lock(&shared.state).sessions.set_credits(credits);
        }
        (&Method::POST, ["faults"]) => {
            let Injected { operation, times, fault } = read(body)?;
            let operation = document::named(&operation)
                .ok_or_else(|| invalid(&format!("the document has no operation {operation:?}")))?;
            let id = lock(&shared.faults).queue(&operation.name, fault.read()?, times);
            return Ok(MockResponse::raw(204, "", "").header("fault-id", &id.to_string()));
        }
        (&Method::DELETE, ["faults"]) => {
            shared.clear_faults();
        }
        (&Method::DELETE, ["faults", id]) => {
            if !id.parse().is_ok_and(|id| lock(&shared.faults).remove(id)) {
                return Err(MockResponse::no_route(404, "no fault has this id; it may have been used up"));
            }
        }
        (&Method::POST, ["sessions", id, "end"]) => {
            let End { reason } = read(body)?;
            let is_ended = Uuid::parse_str(id).is_ok_and(|id| lock(&shared.state).sessions.stop(id, &reason));
            if !is_ended {
                return Err(MockResponse::no_route(404, "the session is not running"));
            }
        }
        (&Method::POST, ["socket-faults"]) => inject_socket_fault(shared, body)?,
        (&Method::POST, ["sessions", id, "events"]) => {
            let event: Value = read(body)?;
            let text = event.to_string();
            let is_sent = Uuid::parse_str(id).is_ok_and(|id| lock(&shared.monitor).send(id, &text));
            if !is_sent {
                return Err(MockResponse::no_route(404, "the session lacks an open socket"));
            }
        }
        (&Method::GET, ["sessions", id, "activity"]) => {
            let id = Uuid::parse_str(id).map_err(|_| invalid("the ID of a session is a UUID"))?;
            let activity = lock(&shared.monitor).sessions.get(&id).cloned().unwrap_or_default();
            return Ok(MockResponse::json(200, activity.json()));
        }
        (&Method::GET, ["sessions", id, "audio"]) => {
            let wav = heard(shared, parts, id)?;
            return Ok(MockResponse::raw(200, "audio/wav", wav));
        }
        (&Method::GET, [path]) if let Some(file) = window::file(path) => return Ok(file),
        #[cfg(feature = "room")]
        (method, ["rooms", ..] | ["sessions", _, "room"]) => {
            return handle_rooms(rooms(shared)?, method, &segments, body);
        }
        _ => return Err(no_such_path()),
    }
    Ok(MockResponse::raw(204, "", ""))
}

fn no_such_path() -> MockResponse {
    MockResponse::no_route(404, "the control API has no such path and method")
}

#[cfg(feature = "room")]
fn handle_rooms(
    rooms: &crate::room::Rooms,
    method: &Method,
    segments: &[&str],
    body: &[u8],
) -> Result<MockResponse, MockResponse> {
    match (method, segments) {
        (&Method::POST, ["rooms", "faults"]) => rooms.add_fault(read::<RoomFaultBody>(body)?.read()?),
        (&Method::PUT, ["rooms", "faults"]) => {
            let faults = read::<Vec<RoomFaultBody>>(body)?;
            let faults: Vec<RoomFault> =
                faults.into_iter().map(RoomFaultBody::read).collect::<Result<_, _>>()?;
            rooms.clear_faults();
            for fault in faults {
                rooms.add_fault(fault);
            }
        }
        (&Method::GET, ["sessions", id, "room"]) => {
            let activity = rooms.activity(Uuid::parse_str(id).unwrap_or_default());
            return Ok(MockResponse::json(
                200,
                json!({
                    "participants": activity.participants,
                    "commands": activity.commands,
                    "microphone_packets": activity.microphone_packets,
                }),
            ));
        }
        _ => return Err(no_such_path()),
    }
    Ok(MockResponse::raw(204, "", ""))
}

/// Returns the audio of a session as WAV.
fn heard(shared: &Shared, parts: &Parts, id: &str) -> Result<Vec<u8>, MockResponse> {
    let query = parts.uri.query().unwrap_or_default();
    let skipped = query.strip_prefix("skip=").map_or(Ok(0), str::parse);
    let skipped = skipped.map_err(|_| invalid("skip must be a number of bytes"))?;
    let heard = Uuid::parse_str(id).ok().and_then(|id| lock(&shared.monitor).wav(id, skipped));
    heard.ok_or_else(|| {
        MockResponse::no_route(404, "no audio of this session was recorded; turn on the recording of audio, and send audio to the socket")
    })
}

fn inject_socket_fault(shared: &Shared, body: &[u8]) -> Result<(), MockResponse> {
    let InjectedSocketFault { command, mut times, fault } = read(body)?;
    let example = json!({ "type": command, "audio": "" }).to_string();
    let Ok((Some(example), _)) = LiteCommand::decode(example.as_bytes()) else {
        return Err(invalid(&format!("no command has the type {command:?}")));
    };
    lock(&shared.monitor).faults = Some(Box::new(move |command| {
        let is_affected = discriminant(command) == discriminant(&example) && times > 0;
        times -= u32::from(is_affected);
        is_affected.then(|| fault.clone())
    }));
    Ok(())
}

#[cfg(feature = "room")]
fn rooms(shared: &Shared) -> Result<&crate::room::Rooms, MockResponse> {
    let rooms = shared.rooms.as_ref();
    rooms.ok_or_else(|| MockResponse::no_route(404, "the server has no rooms; turn them on"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, MockResponse> {
    serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))
}

fn duration(seconds: f64) -> Result<Duration, MockResponse> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| invalid("a duration must be a positive number of seconds"))
}

fn invalid(reason: &str) -> MockResponse {
    MockResponse::no_route(400, reason)
}

#[cfg(feature = "room")]
impl RoomFaultBody {
    fn read(self) -> Result<RoomFault, MockResponse> {
        Ok(match self {
            RoomFaultBody::LateAvatar(seconds) => RoomFault::LateAvatar(duration(seconds)?),
            RoomFaultBody::NoAvatar => RoomFault::NoAvatar,
            RoomFaultBody::NoData => RoomFault::NoData,
            RoomFaultBody::PacketLoss(share) if (0.0..=1.0).contains(&share) => RoomFault::PacketLoss(share),
            RoomFaultBody::PacketLoss(_) => return Err(invalid("a share must be between 0 and 1")),
            RoomFaultBody::Silence => RoomFault::Silence,
            RoomFaultBody::Disconnect => RoomFault::Disconnect,
        })
    }
}

impl FaultBody {
    fn read(self) -> Result<Fault, MockResponse> {
        Ok(match self {
            FaultBody::Delayed(seconds) => Fault::Delayed(duration(seconds)?),
            FaultBody::Before(failure) => Fault::Before(failure.read()?),
            FaultBody::After(failure) => Fault::After(failure.read()?),
            FaultBody::Mutated(name) => {
                let named = Mutation::ALL.into_iter().find(|mutation| format!("{mutation:?}") == name);
                Fault::Mutated(named.ok_or_else(|| {
                    invalid(&format!("no mutation is named {name:?}; choose from {:?}", Mutation::ALL))
                })?)
            }
        })
    }
}

impl FailureBody {
    fn read(self) -> Result<Failure, MockResponse> {
        let response = match self {
            FailureBody::Disconnect => return Ok(Failure::Disconnect),
            FailureBody::Hang => return Ok(Failure::Hang),
            FailureBody::Response(response) => response,
        };
        if !(100..1000).contains(&response.status) {
            return Err(invalid("the status must be between 100 and 999"));
        }
        let mut mocked = MockResponse::json(response.status, response.body);
        for (name, value) in &response.headers {
            mocked = mocked
                .try_header(name, value)
                .ok_or_else(|| invalid(&format!("the header {name:?} is not valid in HTTP")))?;
        }
        Ok(Failure::Response(mocked))
    }
}
