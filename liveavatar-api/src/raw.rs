//! The client that progenitor generates from the document, and the table of its operations.
//!
//! Generated code is never edited. Applications use the methods of [`Client`](crate::Client) instead, which take arguments
//! by name and return this crate's errors; [`Client::raw`](crate::Client::raw) returns this client. A new parameter of an
//! operation changes the signature of its function here, so this module is exempt from the version rules.

use bytes::Bytes;
use progenitor_client::{ClientInfo as _, Error as RawError, ResponseValue};
use reqwest::{Request, StatusCode, Url};
use std::fmt;

use crate::credential::Credential;
use crate::error::{Error, FailedCall, Failure};
use crate::http::{self, Received, RequestOptions, Transport};
use crate::wire::FromBody;

/// The status of a response that replaces a missing one; outside the range of registered statuses.
///
/// The response's extensions hold the [`FailedCall`], from which [`Error`] is made.
const NO_RESPONSE: u16 = 599;

#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    clippy::unwrap_used,
    missing_docs,
    unused_imports,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code"
)]
pub(crate) mod generated {
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

pub use crate::operation::{OPERATIONS, Operation};
pub use generated::Client;

/// The document that the client is generated from: OpenAPI 3.0.3, as JSON.
pub const DOCUMENT: &str = include_str!("../openapi/liveavatar-v1.json");

/// The service's document with corrections, before it is lowered for the generator: OpenAPI 3.1, as JSON.
pub const SERVICE_DOCUMENT: &str = include_str!("../openapi/service.json");

/// Sends the request of a generated function.
pub(crate) async fn exchange<T: FromBody, E>(
    client: &Client,
    mut request: Request,
    id: &'static str,
) -> Result<ResponseValue<T>, RawError<E>> {
    let invalid = |reason: String| RawError::Custom(format!("{id}: {reason}"));
    let operation = Operation::find(id).ok_or_else(|| invalid("not in the document".to_owned()))?;
    http::prepare(client.inner(), &mut request, operation).map_err(invalid)?;
    let sent = send(client, request, operation).await;
    let Received { status, headers, body, attempts: _ } =
        sent.map_err(|failed| RawError::UnexpectedResponse(response_of(*failed)))?;
    let bytes = body.bytes.clone();
    let body = T::from_body(body).map_err(|error| RawError::InvalidResponsePayload(bytes, error))?;
    Ok(ResponseValue::new(body, status, headers))
}

/// Makes a response of a failed call, with the service's status and body if it responded.
fn response_of(call: FailedCall) -> reqwest::Response {
    let mut response = ::http::Response::new(Bytes::new());
    let status = match &call.failure {
        Failure::Response { status, headers, body, .. } => {
            response.headers_mut().clone_from(headers);
            *response.body_mut() = Bytes::from(body.clone());
            if (200..300).contains(status) { NO_RESPONSE } else { *status }
        }
        // With its own status, it would pass for a success.
        Failure::Unreadable { .. } | Failure::NoResponse(_) | Failure::NoTimeLeft => NO_RESPONSE,
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response.extensions_mut().insert(call);
    response.into()
}

/// Returns the address of a path.
pub(crate) fn address(client: &Client, path: fmt::Arguments<'_>) -> Url {
    http::address(&client.inner().shared.base_url, path)
}

/// Signs a request, or returns why it must not be sent.
pub(crate) fn sign(
    client: &Client,
    request: &mut Request,
    operation: &'static Operation,
) -> Result<(), Error> {
    http::prepare(client.inner(), request, operation)
        .map_err(|reason| Error::invalid_request(reason).during(operation.id))
}

/// Sends a signed request.
pub(crate) async fn send(
    client: &Client,
    request: Request,
    operation: &'static Operation,
) -> Result<Received, Box<FailedCall>> {
    http::send(client.client(), client.inner(), request, operation).await
}

impl Client {
    pub(crate) fn with_credential(&self, credential: Credential) -> Self {
        self.with(|transport| transport.credential = Some(credential))
    }

    pub(crate) fn with_options(&self, options: RequestOptions) -> Self {
        self.with(|transport| transport.options = options)
    }

    fn with(&self, change: impl FnOnce(&mut Transport)) -> Self {
        let mut transport = self.inner().clone();
        change(&mut transport);
        Self::new_with_client(self.baseurl(), self.client().clone(), transport)
    }
}
