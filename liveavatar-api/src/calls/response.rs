//! A whole response, and the data in it.

use std::fmt;

use http::HeaderMap;
use progenitor_client::ResponseValue;
use serde::de::DeserializeOwned;
use serde::de::value::UnitDeserializer;

use crate::error::Error;
use crate::http::{ATTEMPTS_HEADER, request_id};
use crate::wire::Envelope;

/// The whole response of a successful call; its body is an [`Envelope`] for all operations but one.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response<T> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: T,
}

impl<T> Response<T> {
    /// Returns the number of requests that were sent, including retries.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.headers.get(ATTEMPTS_HEADER).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(1)
    }

    /// Returns the request's id, which the service's support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        request_id(&self.headers, None)
    }
}

impl<T> From<ResponseValue<T>> for Response<T> {
    fn from(response: ResponseValue<T>) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.into_inner(),
        }
    }
}

/// Omits the headers.
impl<T: fmt::Debug> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, body, .. } = self;
        f.debug_struct("Response").field("status", status).field("body", body).finish_non_exhaustive()
    }
}

/// A body whose data callers want.
pub(crate) trait Open: Sized {
    type Data;

    /// The service's own code.
    fn code(&self) -> Option<i64> {
        None
    }

    fn open(response: Response<Self>) -> Result<Self::Data, Error>;
}

impl<T: DeserializeOwned> Open for Envelope<T> {
    type Data = T;

    fn code(&self) -> Option<i64> {
        Envelope::code(self)
    }

    fn open(response: Response<Self>) -> Result<T, Error> {
        let (status, attempts, request_id) = (response.status, response.attempts(), response.request_id());
        let code = response.body.code();
        // The HTTP layer has already turned codes of failure into errors.
        let error = match response.body.into_decoded() {
            Ok(Some(data)) => return Ok(data),
            // The data type of operations without data deserializes from nothing.
            Ok(None) => match T::deserialize(UnitDeserializer::<serde::de::value::Error>::new()) {
                Ok(nothing) => return Ok(nothing),
                Err(_) => Error::decode("the call succeeded, but the response has no data"),
            },
            // An error about the data as a whole comes without a line.
            Err(at) if at.line == 0 => Error::decode("the response's data is not of the documented shape"),
            Err(at) => Error::decode(format!(
                "the response's data is not of the documented shape, at line {} column {} of the data",
                at.line, at.column
            )),
        };
        Err(error.with_response(status, request_id, attempts).with_code(code))
    }
}

impl Open for () {
    type Data = ();

    fn code(&self) -> Option<i64> {
        None
    }

    fn open(_: Response<Self>) -> Result<(), Error> {
        Ok(())
    }
}
