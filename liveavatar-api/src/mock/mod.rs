//! An in-process stand-in for the service: real HTTP on a loopback port, driven by the OpenAPI document.
//!
//! Routes, credentials, parameters and bodies come from the document, so an operation that is added there answers
//! without code here. Only the session operations have behaviour of their own; its facts are those recorded about the
//! live service. Nothing here opens a connection to the service.
//!
//! With the feature `lite`, `Builder::sockets` serves the command sockets of LITE sessions as well.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use liveavatar_api::mock::{Answer, Server};
//!
//! let server = Server::start().await?;
//! server.script("get_user_credits", Answer::raw(502, "text/html", "<h1>Bad Gateway</h1>"));
//! // Point a client at `server.url()` with the key `server.api_key()`, then look at what it sent.
//! assert!(server.requests().is_empty());
//! # Ok(())
//! # }
//! ```

mod answer;
mod cors;
mod credentials;
mod document;
mod example;
mod problem;
mod schema;
mod server;
mod session_calls;
mod sessions;
#[cfg(feature = "lite")]
mod socket;
mod transcript;
mod validate;

pub use answer::Answer;
pub use document::{OperationInfo, operations};
pub use example::{Example, example_answer, example_request, example_requests};
pub use server::{Builder, Failure, Fault, Recorded, Server};
#[cfg(feature = "lite")]
pub use socket::EventStyle;
