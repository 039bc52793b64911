//! The client that progenitor generates from the document, and the table of its operations.
//!
//! Generated code is never edited. Applications use the methods of [`Client`](crate::Client) instead, which take arguments
//! by name and return this crate's errors; [`Client::raw`](crate::Client::raw) returns this client. A new parameter of an
//! operation changes the signature of its function here, so this module is exempt from the version rules.

use progenitor_client::{ClientHooks, ClientInfo as _, Error, OperationInfo};
use reqwest::{Request, Response};

use crate::credential::Credential;
use crate::http::{self, RequestOptions, Transport};

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

impl ClientHooks<Transport> for Client {
    async fn pre<E>(&self, request: &mut Request, info: &OperationInfo) -> Result<(), Error<E>> {
        let id = info.operation_id;
        let operation =
            Operation::find(id).ok_or_else(|| Error::Custom(format!("{id}: not in the document")))?;
        http::prepare(self.inner(), self.baseurl(), request, operation)
            .map_err(|reason| Error::Custom(format!("{id}: {reason}")))
    }

    async fn exec(&self, request: Request, info: &OperationInfo) -> reqwest::Result<Response> {
        match Operation::find(info.operation_id) {
            Some(operation) => Ok(http::send(self.client(), self.inner(), request, operation).await),
            None => self.client().execute(request).await,
        }
    }
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
