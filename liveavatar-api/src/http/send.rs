//! Sending a request: attempts, pauses between them, and the response or failure at the end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use reqwest::{Request, Response, StatusCode};

use super::body::{Envelope, MAX_BODY, MAX_FAILURE_BODY, envelope, read};
use super::redact::redact;
use super::retry::requested_pause;
use super::{Attempt, AttemptOutcome, Shared, Transport, request_id};
use crate::credential::Credential;
use crate::error::{ENDS_EARLY, FailedCall, Failure};
use crate::operation::Operation;
use crate::wire::Body;

/// The response of a successful call.
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// The number of requests that were sent.
    pub(crate) attempts: u32,
}

/// Sends a request with retries, and reads the response.
pub(crate) async fn send(
    http: &reqwest::Client,
    transport: &Transport,
    request: Request,
    operation: &'static Operation,
) -> Result<Received, Box<FailedCall>> {
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
) -> Result<Received, Box<FailedCall>> {
    let Transport { credential, options, shared } = transport;
    let started = shared.clock.now();
    let time_left =
        |now: SystemTime| options.timeout.saturating_sub(now.duration_since(started).unwrap_or_default());
    let attempt_timeout = options.attempt_timeout_of(operation);
    let failed = |attempts, retry_after, may_have_arrived, failure| {
        let credential = credential.as_ref().map(Credential::kind);
        Box::new(FailedCall { operation, credential, attempts, retry_after, may_have_arrived, failure })
    };
    let mut sent_at = started;
    let mut attempts = 0;
    let mut may_have_arrived = false;
    loop {
        let left = time_left(sent_at);
        if left.is_zero() {
            return Err(failed(attempts, None, may_have_arrived, Failure::NoTimeLeft));
        }
        attempts += 1;
        // A stream cannot be copied, and therefore not be sent again. The time limit would cost the copy two allocations.
        let copy = request.try_clone();
        *request.timeout_mut() = Some(attempt_timeout.min(left));
        let attempt = Attempt { operation, number: attempts };
        if let Some(observer) = &shared.observer {
            observer.before(&attempt);
        }

        let sent = copy.as_ref().and_then(|request| request.body()?.as_bytes());
        let result = send_once(http, request, operation, credential.as_ref(), sent, sent_at).await;
        let now = shared.clock.now();
        let duration = now.duration_since(sent_at).unwrap_or_default();
        let (failure, requested) = match result {
            Ok((status, headers, body)) => {
                if is_observed(shared) {
                    let outcome = AttemptOutcome {
                        succeeded: true,
                        status: Some(status.as_u16()),
                        duration,
                        request_id: request_id(&headers, credential.as_ref()),
                        retry_in: None,
                    };
                    observe(shared, &attempt, &outcome);
                }
                if attempts == 1 {
                    shared.retries.refund();
                }
                return Ok(Received { status, headers, body, attempts });
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
            return Err(failed(attempts, requested, may_have_arrived, failure));
        };
        shared.clock.sleep(pause).await;
        sent_at = shared.clock.now();
        request = copy;
    }
}

/// Whether the outcome of a successful attempt is reported anywhere.
fn is_observed(shared: &Shared) -> bool {
    #[cfg(feature = "tracing")]
    if super::trace::is_enabled() {
        return true;
    }
    shared.observer.is_some()
}

fn observe(shared: &Shared, attempt: &Attempt, outcome: &AttemptOutcome) {
    #[cfg(feature = "tracing")]
    super::trace::attempt_finished(attempt, outcome);
    if let Some(observer) = &shared.observer {
        observer.after(attempt, outcome);
    }
}

/// Sends a request once and reads the whole response; a failure comes with the pause that the service requests.
async fn send_once(
    http: &reqwest::Client,
    request: Request,
    operation: &Operation,
    credential: Option<&Credential>,
    sent: Option<&[u8]>,
    now: SystemTime,
) -> Result<(StatusCode, HeaderMap, Body), (Failure, Option<Duration>)> {
    let no_response = |error: reqwest::Error| (Failure::NoResponse(Arc::new(error.without_url())), None);
    let mut response = http.execute(request).await.map_err(no_response)?;
    let status = response.status();
    let rejected = |response: &mut Response, body: &[u8]| {
        let request_id = request_id(response.headers(), credential);
        let mut headers = Box::new(std::mem::take(response.headers_mut()));
        // The generated error type prints headers.
        headers.values_mut().for_each(|value| value.set_sensitive(true));
        Failure::Response {
            status: status.as_u16(),
            request_id,
            headers,
            body: redact(body, credential, sent),
        }
    };
    if !status.is_success() {
        let pause = requested_pause(response.headers(), now);
        // If the connection breaks now, the status is still known.
        let body = read(&mut response, MAX_FAILURE_BODY).await.unwrap_or_else(|(_, start)| start);
        return Err((rejected(&mut response, &body), pause));
    }
    let unreadable = |response: &Response, reason, cause: Option<reqwest::Error>| {
        let (status, request_id) = (status.as_u16(), request_id(response.headers(), credential));
        let cause = cause.map(|error| Arc::new(error.without_url()));
        Err((Failure::Unreadable { status, request_id, reason, cause }, None))
    };
    // The document promises no body for some operations, so an unreadable one does no harm.
    let body = match read(&mut response, MAX_BODY + 1).await {
        Ok(bytes) => match envelope(&bytes) {
            Ok(Envelope::Success(body)) => body,
            Ok(Envelope::Failure) => return Err((rejected(&mut response, &bytes), None)),
            Err(_) if !operation.has_response_body => Body::empty(),
            Err(reason) => return unreadable(&response, reason, None),
        },
        Err(_) if !operation.has_response_body => Body::empty(),
        Err((error, _)) => return unreadable(&response, ENDS_EARLY, Some(error)),
    };
    Ok((status, std::mem::take(response.headers_mut()), body))
}
