//! Handles one HTTP request: faults, queued responses, credentials, rate limit, validation, then the operation.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::Response;
use axum::http::header::ORIGIN;

use crate::call::Call;
use crate::control;
use crate::cors;
use crate::credentials::identify;
use crate::document::{Route, route};
use crate::fault::{Failure, Fault};
use crate::recorded_request::RecordedRequest;
use crate::resource_operation::ResourceOperation;
use crate::response::MockResponse;
use crate::session_operations;
use crate::shared::{InProgress, Shared};
use crate::state::lock;
use crate::validation;

/// Largest accepted request body; the largest real one is an image for an avatar.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

pub(crate) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let in_progress = InProgress::new(&shared.in_progress);
    let (parts, body) = request.into_parts();
    if let Some(path) = parts.uri.path().strip_prefix(control::PREFIX) {
        let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
        return control::respond(&shared, &parts, path, &body);
    }
    // The window, with the slash left out.
    if format!("{}/", parts.uri.path()) == control::PREFIX {
        return MockResponse::redirect(308, control::PREFIX).into_response("mock-control");
    }
    #[cfg(feature = "room")]
    if let Some(rooms) = shared.rooms.as_ref().filter(|_| crate::room::is_signalling(parts.uri.path())) {
        return crate::room::respond(rooms, Request::from_parts(parts, body));
    }
    let found = route(parts.method.as_str(), parts.uri.path());
    let operation = match &found {
        Route::Found(operation, _) => Some(*operation),
        Route::OtherMethods(_) | Route::Unknown => None,
    };
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await;
    let is_too_large = body.is_err();
    let request = Request::from_parts(parts, body.unwrap_or_default());
    let recorded = RecordedRequest::new(operation, &request);
    let fault = operation
        .filter(|_| !is_too_large)
        .and_then(|operation| Some((operation, lock(&shared.faults).next(&operation.name)?)));
    let summary = fault.as_ref().map(|(_, fault)| fault.summary());
    let exchange = shared.journal.request(&recorded, summary);
    let number = lock(&shared.log).arrived(recorded);
    let response = if is_too_large {
        MockResponse::no_route(413, "Request Entity Too Large")
    } else {
        shared.clock.sleep(shared.latency).await;
        // Runs only where a fault lets the request take effect.
        let responding = async {
            let (Ok(response) | Err(response)) = respond(&shared, found, &request).await;
            response
        };
        let response = match fault {
            None => Some(responding.await),
            Some((_, Fault::Delayed(time))) => {
                shared.clock.sleep(time).await;
                Some(responding.await)
            }
            Some((operation, Fault::Mutated(mutation))) => Some(mutation.apply(operation, responding.await)),
            Some((_, Fault::Before(failure))) => fail(failure, in_progress).await,
            Some((_, Fault::After(failure))) => {
                responding.await;
                fail(failure, in_progress).await
            }
        };
        let Some(response) = response else { return disconnect() };
        response
    };
    exchange.responded(&response);
    let request_id = lock(&shared.log).responded(number, response.status());
    let mut response = response.into_response(&request_id);
    cors::allow(request.headers().get(ORIGIN), &mut response);
    response
}

/// Returns the response of a failed request; `None` means that its connection is dropped.
async fn fail(failure: Failure, in_progress: InProgress<'_>) -> Option<MockResponse> {
    match failure {
        Failure::Response(response) => Some(response),
        Failure::Disconnect => None,
        Failure::Hang => {
            drop(in_progress);
            std::future::pending().await
        }
    }
}

/// Returns a response whose body fails, so that the connection is dropped.
fn disconnect() -> Response<Body> {
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(futures_util::stream::iter([Err::<Vec<u8>, _>(reset)])))
}

/// Returns the success response, or the response that rejects the request.
async fn respond(
    shared: &Shared,
    found: Route,
    request: &Request<Bytes>,
) -> Result<MockResponse, MockResponse> {
    let (operation, path) = match found {
        Route::Found(operation, path) => (operation, path),
        Route::OtherMethods(methods) => {
            return cors::preflight(request.headers(), &methods).ok_or_else(|| {
                MockResponse::no_route(405, "Method Not Allowed").header("allow", &methods.join(", "))
            });
        }
        Route::Unknown => return Err(MockResponse::no_route(404, "Not Found")),
    };
    let queued =
        lock(&shared.queued_responses).get_mut(operation.name.as_str()).and_then(VecDeque::pop_front);
    if let Some(response) = queued {
        return Ok(response);
    }
    let session_of = |token: &str| lock(&shared.state).sessions.session_of_token(token);
    let caller = identify(&operation.security, request.headers(), &shared.api_key, session_of)
        .ok_or_else(MockResponse::unauthorized)?;
    lock(&shared.rate_limiter).check(caller, &operation.name)?;
    let input = validation::check(operation, path, request).await?;
    let call = Call { operation, caller, input: &input, base: &shared.url, uri: request.uri() };
    let state = &mut lock(&shared.state);
    if let Some(response) = session_operations::respond(state, &call) {
        return response;
    }
    match ResourceOperation::of(operation) {
        Some(resource) => state.handle_resource(&resource, &call),
        None => Ok(call.example_response()),
    }
}
