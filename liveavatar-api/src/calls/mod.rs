//! Traits of all generated calls, lists, calls by name, and the upload.

pub(crate) mod dynamic;
pub(crate) mod pages;
pub(crate) mod upload;

use std::future::Future;

use progenitor_client::ResponseValue;
use serde::de::DeserializeOwned;
use serde::de::value::UnitDeserializer;

use crate::error::Error;
use crate::http::{ATTEMPTS_HEADER, request_id};
use crate::raw;
use crate::wire::Envelope;

/// A call that is ready to be sent; the builder of every operation implements it.
///
/// [`data`](Self::data) returns the envelope's data, which is what most callers want. The builder's own `send` returns the
/// whole response with status and headers; [`IntoData`] opens it.
pub trait Call: Sized + Send {
    /// The response, including its envelope.
    type Response: Send;

    /// The data inside the envelope.
    type Data: Send;

    /// The operation's name, such as `list_voices`.
    const OPERATION: &'static str;

    #[doc(hidden)]
    fn client(&self) -> &raw::Client;

    /// Sends the call and returns the response as the generated `send` does.
    ///
    /// # Errors
    /// Those of the builder's `send`; they convert into [`Error`].
    fn response(
        self,
    ) -> impl Future<Output = Result<ResponseValue<Self::Response>, progenitor_client::Error<()>>> + Send;

    #[doc(hidden)]
    fn open(response: ResponseValue<Self::Response>) -> Result<Self::Data, Error>;

    /// Sends the call and returns the data of its response.
    ///
    /// # Errors
    /// If the request is invalid, the call fails, or the response is not of the documented shape.
    ///
    /// # Cancel safety
    /// If dropped after sending, the service may still act: a resource may be created, a session may be running.
    fn data(self) -> impl Future<Output = Result<Self::Data, Error>> + Send {
        async move {
            let response = self.response().await.map_err(Error::from);
            response.and_then(Self::open).map_err(|error| error.during(Self::OPERATION))
        }
    }
}

/// Opens the envelope of a generated call's response.
pub trait IntoData {
    /// The data inside the envelope.
    type Data;

    /// Returns the data of a successful call.
    ///
    /// # Errors
    /// If the call failed, the code in the envelope of a 2xx is neither 100, 1000 nor absent, or required data is missing.
    fn into_data(self) -> Result<Self::Data, Error>;
}

impl<T: DeserializeOwned> IntoData for ResponseValue<Envelope<T>> {
    type Data = T;

    fn into_data(self) -> Result<T, Error> {
        let (status, attempts) = (self.status().as_u16(), self.attempts());
        let request_id = request_id(self.headers(), None);
        // The HTTP layer has already turned codes of failure into errors.
        let error = match self.into_inner().into_decoded() {
            Ok(Some(data)) => return Ok(data),
            // The data type of operations without data deserializes from nothing.
            Ok(None) => match T::deserialize(UnitDeserializer::<serde::de::value::Error>::new()) {
                Ok(nothing) => return Ok(nothing),
                Err(_) => Error::decode("the call succeeded, but the response has no data"),
            },
            Err(at) => Error::decode(format!(
                "the response's data is not of the documented shape, at line {} column {} of the data",
                at.line, at.column
            )),
        };
        Err(error.with_response(status, request_id, attempts))
    }
}

impl IntoData for ResponseValue<()> {
    type Data = ();

    fn into_data(self) -> Result<(), Error> {
        Ok(())
    }
}

impl<V: IntoData> IntoData for Result<V, progenitor_client::Error<()>> {
    type Data = V::Data;

    fn into_data(self) -> Result<V::Data, Error> {
        self?.into_data()
    }
}

/// What the client knows of a response besides its content.
pub trait Sent {
    /// Returns how many requests the call took; 1 without retries.
    fn attempts(&self) -> u32;
}

impl<T> Sent for ResponseValue<T> {
    fn attempts(&self) -> u32 {
        self.headers().get(ATTEMPTS_HEADER).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(1)
    }
}
