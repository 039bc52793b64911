//! One type per operation, returned by the method of [`Client`](crate::Client) of the same name.
//!
//! ```no_run
//! # async fn calls(client: liveavatar_api::Client) -> Result<(), liveavatar_api::Error> {
//! use futures_util::TryStreamExt as _;
//!
//! // The data of the response.
//! let credits = client.get_user_credits().send().await?;
//! // All items of all pages, at once or one after the other.
//! let voices = client.list_voices().page_size(100).voice_type("public").all().await?;
//! let mut avatars = client.list_public_avatars().items();
//! while let Some(avatar) = avatars.try_next().await? {
//!     println!("{}", avatar.name);
//! }
//! // Status, headers and the whole envelope.
//! let response = client.get_user_credits().send_raw().await?;
//! println!("{} after {} attempts", response.status, response.attempts());
//! # Ok(())
//! # }
//! ```
//!
//! A call owns its client and its arguments, so it can be kept, cloned and spawned. Nothing is sent before it is awaited. Errors in its
//! arguments are reported together, before anything is sent; see [`Error::fields`](crate::Error::fields).

mod dynamic;
mod form;
mod pages;
mod response;
mod upload;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::builder::{Draft, Given};
use crate::error::Error;
use crate::http::Received;
use crate::operation::Operation;
use crate::raw;
use crate::schema;

pub use crate::raw::generated::calls::*;
pub use dynamic::{DynamicCall, RawResponse};
pub(crate) use pages::{Paged, all, items, pages};
pub(crate) use response::Open;
pub use response::Response;
use response::decode;
pub use upload::CreateImageAvatar;

/// A call's client and arguments.
#[derive(Clone)]
pub(crate) struct Request {
    client: Arc<raw::Client>,
    parameters: Draft,
    body: Draft,
}

impl Request {
    pub(crate) fn new(client: &Arc<raw::Client>) -> Self {
        Self { client: Arc::clone(client), parameters: Draft::default(), body: Draft::default() }
    }

    pub(crate) fn parameter(&mut self, name: &'static str, value: Given) {
        self.parameters.set(name, value);
    }

    pub(crate) fn field(&mut self, name: &'static str, value: Given) {
        self.body.set(name, value);
    }

    pub(crate) fn set_body(&mut self, body: Draft) {
        self.body = body;
    }

    fn check(&self, operation: &str, body: Option<&str>) -> Result<(), Error> {
        let Self { parameters, body: given, .. } = self;
        let parameters = schema::check_parameters(operation, parameters.value(), parameters.texts());
        let body = body.map(|name| schema::check_type(name, given.value(), given.texts()));
        Error::invalid_fields(parameters.into_iter().chain(body.into_iter().flatten()))
    }
}

/// Prints the names of the arguments; their values may be secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client: _, parameters, body } = self;
        f.debug_struct("Request").field("parameters", parameters).field("body", body).finish_non_exhaustive()
    }
}

/// The checked arguments of a call, from which its generated function is called.
pub(crate) struct Arguments(Request);

impl Arguments {
    pub(crate) fn parameter<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Error> {
        self.0.parameters.take(name).map_err(|_| misread(name))
    }

    pub(crate) fn body<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        std::mem::take(&mut self.0.body).read().map_err(|_| misread("body"))
    }
}

/// The check accepted a value that its type does not, which a test of all request types excludes.
fn misread(name: &str) -> Error {
    Error::invalid_field(name, "does not fit its type")
}

/// What the build implements for every generated call.
pub(crate) trait Call: Sized + Send + 'static {
    /// The body of a successful response.
    type Response: Open<Data = Self::Data> + Send;
    /// The data in it.
    type Data: Send;
    const OPERATION: &'static str;
    /// The name of the JSON body's type, if its fields have setters. Other bodies are given whole, as a value that is valid.
    const BODY: Option<&'static str>;

    fn request(&mut self) -> &mut Request;

    fn into_request(self) -> Request;

    /// Builds the request with the generated function.
    fn build(client: &raw::Client, arguments: Arguments) -> Result<reqwest::Request, Error>;
}

async fn exchange<C: Call>(call: C) -> Result<Response<C::Response>, Error> {
    let request = call.into_request();
    request.check(C::OPERATION, C::BODY)?;
    let client = Arc::clone(&request.client);
    let request = C::build(&client, Arguments(request))?;
    decode(send_request(&client, request, C::OPERATION).await?)
}

/// Signs and sends the request of an operation.
async fn send_request(
    client: &raw::Client,
    mut request: reqwest::Request,
    id: &str,
) -> Result<Received, Error> {
    let operation = Operation::find(id)
        .ok_or_else(|| Error::invalid_request("the document does not list the operation"))?;
    raw::sign(client, &mut request, operation)?;
    raw::send(client, request, operation).await.map_err(|failed| Error::from(&*failed))
}

/// Sends a call and returns the whole response.
pub(crate) async fn send_raw<C: Call>(call: C) -> Result<Response<C::Response>, Error> {
    exchange(call).await.map_err(|error| error.during(C::OPERATION))
}

/// Sends a call and returns the data of its response.
pub(crate) async fn send<C: Call>(call: C) -> Result<C::Data, Error> {
    exchange(call).await.and_then(C::Response::open).map_err(|error| error.during(C::OPERATION))
}
