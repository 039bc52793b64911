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
mod builder;
mod catalogue;
mod clock;
mod credentials;
mod document;
mod entry;
mod example;
mod fault;
#[cfg(feature = "lite")]
mod heard;
mod page;
#[cfg(feature = "lite")]
mod playback;
mod problem;
mod rate;
mod resource;
mod schema;
mod server;
mod session_calls;
mod sessions;
#[cfg(feature = "lite")]
mod socket;
mod transcript;
mod validate;
mod world;

pub use answer::Answer;
pub use builder::Builder;
pub use document::{OperationInfo, operations};
pub use example::{Example, example_answer, example_request, example_requests};
pub use fault::{Failure, Fault, Twist};
#[cfg(feature = "lite")]
pub use heard::{Heard, SocketFault, Utterance, UtteranceEnd};
pub use server::{Recorded, Server};
#[cfg(feature = "lite")]
pub use socket::EventStyle;
