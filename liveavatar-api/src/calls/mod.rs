//! Traits of all generated calls, a call by name, lists, and the upload.

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

/// A call that is ready to be sent; implemented by the builder of every operation.
///
/// [`data`](Self::data) is what most callers want: the envelope's data or one [`Error`]. The builder's own `send` gives the
/// whole answer, with status and headers; [`IntoData`] opens it.
pub trait Call: Sized + Send {
    /// What the service answers, envelope and all.
    type Answer: Send;

    /// What its envelope holds.
    type Data: Send;

    /// The operation's name, such as `list_voices`.
    const OPERATION: &'static str;

    #[doc(hidden)]
    fn client(&self) -> &raw::Client;

    /// Sends the call and returns the answer as the generated `send` does.
    ///
    /// # Errors
    /// As the builder's `send`; the error converts into [`Error`].
    fn answer(
        self,
    ) -> impl Future<Output = Result<ResponseValue<Self::Answer>, progenitor_client::Error<()>>> + Send;

    #[doc(hidden)]
    fn open(answer: ResponseValue<Self::Answer>) -> Result<Self::Data, Error>;

    /// Sends the call and opens the answer's envelope.
    ///
    /// # Errors
    /// When the call was refused before sending, failed, or answered something else than the document says.
    ///
    /// # Cancel safety
    /// Dropped after sending, the service may act all the same: a created thing exists, a started session runs.
    fn data(self) -> impl Future<Output = Result<Self::Data, Error>> + Send {
        async move {
            let answer = self.answer().await.map_err(Error::from);
            answer.and_then(Self::open).map_err(|error| error.during(Self::OPERATION))
        }
    }
}

/// Opens the envelope of a generated call's answer.
pub trait IntoData {
    /// What the envelope holds.
    type Data;

    /// The data of a call that succeeded.
    ///
    /// Success is judged by the HTTP status; the codes 100 and 1000 both mean it, and an absent code does too.
    ///
    /// # Errors
    /// When the call failed, or the envelope of a 2xx says that it did, or holds no data where some is needed.
    fn into_data(self) -> Result<Self::Data, Error>;
}

impl<T: DeserializeOwned> IntoData for ResponseValue<Envelope<T>> {
    type Data = T;

    fn into_data(self) -> Result<T, Error> {
        let frame = (self.status().as_u16(), request_id(self.headers(), None), self.attempts());
        // A code that says that the call failed has become an error in the transport.
        let error = match self.into_inner().into_decoded() {
            Ok(Some(data)) => return Ok(data),
            // Operations without data have a type that reads from nothing.
            Ok(None) => match T::deserialize(UnitDeserializer::<serde::de::value::Error>::new()) {
                Ok(nothing) => return Ok(nothing),
                Err(_) => Error::decode("the answer holds no data, although the call succeeded"),
            },
            Err(at) => Error::decode(format!(
                "the answer's data has another shape than the document says, at line {} column {} of the data",
                at.line, at.column
            )),
        };
        let (status, request_id, attempts) = frame;
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

/// What the transport knows of an answer beyond its content.
pub trait Sent {
    /// How many requests it took, 1 where none was repeated.
    fn attempts(&self) -> u32;
}

impl<T> Sent for ResponseValue<T> {
    fn attempts(&self) -> u32 {
        self.headers().get(ATTEMPTS_HEADER).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(1)
    }
}
