//! Sending a request: attempts, pauses between them, and the response or failure at the end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Request, Response, StatusCode};

use super::body::{Envelope, MAX_BODY, MAX_FAILURE_BODY, envelope, read, with_body};
use super::redact::redact;
use super::retry::requested_pause;
use super::{Attempt, AttemptOutcome, Shared, Transport, request_id};
use crate::credential::Credential;
use crate::error::{ENDS_EARLY, FailedCall, Failure};
use crate::operation::Operation;

/// The response header that carries the number of attempts to the caller; the service does not send this header.
pub(crate) const ATTEMPTS_HEADER: &str = "x-liveavatar-client-attempts";

/// The status of a response that replaces a missing one; outside the range of registered statuses.
///
/// The response's extensions hold the [`FailedCall`], from which [`crate::Error`] is made.
const NO_RESPONSE: u16 = 599;

/// Sends a request with retries. Failures are responses, too: their extensions hold a [`FailedCall`].
pub(crate) async fn send(
    http: &reqwest::Client,
    transport: &Transport,
    request: Request,
    operation: &'static Operation,
) -> Response {
    let http = &transport.shared.pools.here(http);
    #[cfg(feature = "tracing")]
    {
        use tracing::Instrument as _;
        let span = super::trace::span(operation, request.url());
        attempts(http, transport, request, operation).instrument(span).await
    }
    #[cfg(not(feature = "tracing"))]
    attempts(http, transport, request, operation).await
}

async fn attempts(
    http: &reqwest::Client,
    transport: &Transport,
    mut request: Request,
    operation: &'static Operation,
) -> Response {
    let Transport { credential, options, shared } = transport;
    let started = shared.clock.now();
    let time_left =
        |now: SystemTime| options.timeout.saturating_sub(now.duration_since(started).unwrap_or_default());
    let attempt_timeout = options.attempt_timeout_of(operation);
    let failed = |attempts, retry_after, may_have_arrived, failure| {
        let credential = credential.as_ref().map(Credential::kind);
        failed(FailedCall { operation, credential, attempts, retry_after, may_have_arrived, failure })
    };
    let mut sent_at = started;
    let mut attempts = 0;
    let mut may_have_arrived = false;
    loop {
        let left = time_left(sent_at);
        if left.is_zero() {
            return failed(attempts, None, may_have_arrived, Failure::NoTimeLeft);
        }
        attempts += 1;
        *request.timeout_mut() = Some(attempt_timeout.min(left));
        // A stream cannot be copied, and therefore not be sent again.
        let copy = request.try_clone();
        let attempt = Attempt { operation, number: attempts };
        if let Some(observer) = &shared.observer {
            observer.before(&attempt);
        }

        let sent = copy.as_ref().and_then(|request| request.body()?.as_bytes());
        let result = send_once(http, request, operation, credential.as_ref(), sent, sent_at).await;
        let now = shared.clock.now();
        let duration = now.duration_since(sent_at).unwrap_or_default();
        let (failure, requested) = match result {
            Ok(response) => {
                let outcome = AttemptOutcome {
                    succeeded: true,
                    status: Some(response.status().as_u16()),
                    duration,
                    request_id: request_id(response.headers(), credential.as_ref()),
                    retry_in: None,
                };
                observe(shared, &attempt, &outcome);
                if attempts == 1 {
                    shared.retries.refund();
                }
                return counted(response, attempts);
            }
            Err(failed) => failed,
        };

        may_have_arrived |= failure.may_have_arrived();
        let left = time_left(now);
        let retry = copy.filter(|_| attempts < options.max_attempts).and_then(|copy| {
            Some((copy, shared.retries.pause(operation, &failure, attempts, requested, left)?))
        });
        let outcome = AttemptOutcome {
            succeeded: false,
            status: failure.status(),
            duration,
            request_id: failure.request_id().cloned(),
            retry_in: retry.as_ref().map(|(_, pause)| *pause),
        };
        observe(shared, &attempt, &outcome);
        let Some((copy, pause)) = retry else {
            return failed(attempts, requested, may_have_arrived, failure);
        };
        shared.clock.sleep(pause).await;
        sent_at = shared.clock.now();
        request = copy;
    }
}

fn observe(shared: &Shared, attempt: &Attempt, outcome: &AttemptOutcome) {
    #[cfg(feature = "tracing")]
    super::trace::attempt_finished(attempt, outcome);
    if let Some(observer) = &shared.observer {
        observer.after(attempt, outcome);
    }
}

/// Writes the number of attempts into a response, if there was more than one.
fn counted(mut response: Response, attempts: u32) -> Response {
    let name = HeaderName::from_static(ATTEMPTS_HEADER);
    if attempts > 1 {
        response.headers_mut().insert(name, HeaderValue::from(attempts));
    } else {
        response.headers_mut().remove(name);
    }
    response
}

/// Makes a response of a failed call, with the service's status and body if it responded.
fn failed(call: FailedCall) -> Response {
    let mut response = http::Response::new(Bytes::new());
    let status = match &call.failure {
        Failure::Response { status, headers, body, .. } => {
            response.headers_mut().clone_from(headers);
            // The generated error type prints headers.
            response.headers_mut().values_mut().for_each(|value| value.set_sensitive(true));
            *response.body_mut() = Bytes::from(body.clone());
            if (200..300).contains(status) { NO_RESPONSE } else { *status }
        }
        // With its own status, the generated code would decode it as a success.
        Failure::Unreadable { .. } | Failure::NoResponse(_) | Failure::NoTimeLeft => NO_RESPONSE,
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response.extensions_mut().insert(call);
    response.into()
}

/// Sends a request once and reads the whole response; a failure comes with the pause that the service requests.
async fn send_once(
    http: &reqwest::Client,
    request: Request,
    operation: &Operation,
    credential: Option<&Credential>,
    sent: Option<&[u8]>,
    now: SystemTime,
) -> Result<Response, (Failure, Option<Duration>)> {
    let no_response = |error: reqwest::Error| (Failure::NoResponse(Arc::new(error.without_url())), None);
    let mut response = http.execute(request).await.map_err(no_response)?;
    let status = response.status();
    let request_id = request_id(response.headers(), credential);
    let rejected = |response: &mut Response, body: &[u8]| Failure::Response {
        status: status.as_u16(),
        request_id: request_id.clone(),
        headers: Box::new(std::mem::take(response.headers_mut())),
        body: redact(body, credential, sent),
    };
    if !status.is_success() {
        let pause = requested_pause(response.headers(), now);
        // If the connection breaks now, the status is still known.
        let body = read(&mut response, MAX_FAILURE_BODY).await.unwrap_or_else(|(_, start)| start);
        return Err((rejected(&mut response, &body), pause));
    }
    let unreadable = |reason, cause: Option<reqwest::Error>| {
        let (status, request_id) = (status.as_u16(), request_id.clone());
        let cause = cause.map(|error| Arc::new(error.without_url()));
        Err((Failure::Unreadable { status, request_id, reason, cause }, None))
    };
    // The document promises no body for some operations, so an unreadable one does no harm.
    let body = match read(&mut response, MAX_BODY + 1).await {
        Ok(body) => body,
        Err(_) if !operation.has_response_body => return Ok(with_body(response, Bytes::new())),
        Err((error, _)) => return unreadable(ENDS_EARLY, Some(error)),
    };
    match envelope(&body) {
        Ok(Envelope::Success(body)) => Ok(with_body(response, body)),
        Ok(Envelope::Failure) => Err((rejected(&mut response, &body), None)),
        Err(_) if !operation.has_response_body => Ok(with_body(response, Bytes::new())),
        Err(reason) => unreadable(reason, None),
    }
}
