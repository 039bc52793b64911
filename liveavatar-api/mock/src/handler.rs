//! Handles one HTTP request: faults, queued responses, credentials, rate limit, validation, then the operation.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::http::header::ORIGIN;

use crate::call::Call;
use crate::clock::Clock;
use crate::cors;
use crate::credentials::identify;
use crate::document::{Route, route};
use crate::fault::{Failure, Fault, FaultPlan};
use crate::rate_limit::RateLimiter;
use crate::recorded_request::RecordedRequest;
use crate::resource_operation::ResourceOperation;
use crate::response::MockResponse;
use crate::session_operations::operation_handler;
use crate::socket_activity::SocketMonitor;
use crate::state::{ServerState, lock};
use crate::validation::{self, RawRequest};

/// Largest accepted request body; the largest real one is an image for an avatar.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// What all requests to one server share.
pub(crate) struct Shared {
    pub(crate) url: String,
    pub(crate) api_key: String,
    /// Delay of every request.
    pub(crate) latency: Duration,
    pub(crate) clock: Clock,
    pub(crate) state: Arc<Mutex<ServerState>>,
    pub(crate) rate_limiter: Mutex<RateLimiter>,
    pub(crate) queued_responses: Mutex<HashMap<&'static str, VecDeque<MockResponse>>>,
    pub(crate) faults: Mutex<FaultPlan>,
    pub(crate) log: Mutex<RequestLog>,
    pub(crate) monitor: Arc<Mutex<SocketMonitor>>,
}

#[derive(Default)]
pub(crate) struct RequestLog {
    pub(crate) requests: Vec<RecordedRequest>,
    /// Number of all requests so far; numbers the request ids.
    count: u64,
}

pub(crate) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let method = parts.method.as_str();
    let found = route(method, parts.uri.path());
    let operation = match &found {
        Route::Found(operation, _) => Some(*operation),
        Route::OtherMethods(_) | Route::Unknown => None,
    };
    let (bytes, response) = match axum::body::to_bytes(body, MAX_BODY_BYTES).await {
        Ok(bytes) => {
            let raw = RawRequest { uri: &parts.uri, headers: &parts.headers, bytes: &bytes };
            let fault = operation.and_then(|it| Some((it, lock(&shared.faults).next(&it.name)?)));
            shared.clock.sleep(shared.latency).await;
            let response = match fault {
                None => Some(respond(&shared, found, raw).await),
                Some((_, Fault::Delayed(time))) => {
                    shared.clock.sleep(time).await;
                    Some(respond(&shared, found, raw).await)
                }
                Some((operation, Fault::Mutated(mutation))) => {
                    Some(mutation.apply(operation, respond(&shared, found, raw).await))
                }
                Some((_, Fault::Before(failure))) => fail(failure).await,
                Some((_, Fault::After(failure))) => {
                    respond(&shared, found, raw).await;
                    fail(failure).await
                }
            };
            let Some(response) = response else { return disconnect() };
            (bytes.to_vec(), response)
        }
        Err(_) => (Vec::new(), MockResponse::no_route(413, "Request Entity Too Large")),
    };
    let recorded =
        RecordedRequest::new(operation, method, &parts.uri, &parts.headers, bytes, response.status());
    let mut log = lock(&shared.log);
    log.requests.push(recorded);
    log.count += 1;
    let mut response = response.into_response(&format!("mock-request-{}", log.count));
    cors::allow(parts.headers.get(ORIGIN), &mut response);
    response
}

/// Returns the response of a failed request; `None` means that its connection is dropped.
async fn fail(failure: Failure) -> Option<MockResponse> {
    match failure {
        Failure::Response(response) => Some(response),
        Failure::Disconnect => None,
        Failure::Hang => std::future::pending().await,
    }
}

/// Returns a response whose body fails, so that the connection is dropped.
fn disconnect() -> Response<Body> {
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(futures_util::stream::iter([Err::<Vec<u8>, _>(reset)])))
}

async fn respond(shared: &Shared, found: Route, raw: RawRequest<'_>) -> MockResponse {
    let (operation, path) = match found {
        Route::Found(operation, path) => (operation, path),
        Route::OtherMethods(methods) => {
            return cors::preflight(raw.headers, &methods).unwrap_or_else(|| {
                MockResponse::no_route(405, "Method Not Allowed").header("allow", &methods.join(", "))
            });
        }
        Route::Unknown => return MockResponse::no_route(404, "Not Found"),
    };
    let queued =
        lock(&shared.queued_responses).get_mut(operation.name.as_str()).and_then(VecDeque::pop_front);
    if let Some(response) = queued {
        return response;
    }
    let caller = {
        let sessions = &lock(&shared.state).sessions;
        identify(&operation.security, raw.headers, &shared.api_key, |token| sessions.session_of_token(token))
    };
    let Some(caller) = caller else {
        return MockResponse::unauthorized();
    };
    if let Some(rejection) = lock(&shared.rate_limiter).reject(caller, &operation.name) {
        return rejection;
    }
    let uri = raw.uri;
    let input = match validation::check(operation, path, raw).await {
        Ok(input) => input,
        Err(rejection) => return rejection,
    };
    let call = Call { operation, caller, input: &input, base: &shared.url, uri };
    let state = &mut lock(&shared.state);
    if let Some(handle) = operation_handler(&operation.name) {
        return handle(state, &call);
    }
    match ResourceOperation::of(operation) {
        Some(resource) => state.handle_resource(&resource, &call),
        None => call.example_response(),
    }
}
