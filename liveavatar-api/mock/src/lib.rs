//! An in-process stand-in for the service: real HTTP on a loopback port, driven by the OpenAPI document.
//!
//! Routes, credentials, parameters and bodies come from the document, so an operation that is added there answers
//! without code here. What is stored does so too: paths and methods tell which operations make, list, get, change and delete
//! entries of a collection, and the schemas of their answers tell what an entry holds. Only the session operations have
//! behaviour of their own; its facts are those recorded about the live service. Nothing here opens a connection to the service.
//!
//! With the feature `lite`, `Builder::sockets` serves the command sockets of LITE sessions as well.
//!
//! # What is invented
//!
//! Nothing is on record about some answers, and the mock's are made up:
//!
//! - the codes 4040 and 4290, the bodies of 404 and 429 and the texts of the former;
//! - public entries are not found when they are to be changed or deleted;
//! - an unknown `secret_id` and missing dynamic variables are refused with 400; that both are refused is documented;
//! - a deleted avatar gets no more tokens, and its sessions end at once;
//! - credits: that a minute is paid for as it begins, and that nothing of it is given back;
//! - avatars in training are ready after 60 seconds, and everything else that a new entry holds without having been asked for is
//!   the document's example;
//! - on command sockets, the texts of errors, the close codes, that frames above 1 MB are refused with an error, and that the avatar
//!   takes the pose again after speech that was commanded last;
//! - `X-RateLimit-Reset` is a point in time, in seconds since 1970 on the mock's clock;
//! - the sandbox avatar of sessions is accepted for embeds too.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use liveavatar_mock::{MockResponse, Server};
//!
//! let server = Server::start().await?;
//! server.mock_response("get_user_credits", MockResponse::raw(502, "text/html", "<h1>Bad Gateway</h1>"));
//! // Point a client at `server.url()` with the key `server.api_key()`, then look at what it sent.
//! assert!(server.requests().is_empty());
//! # Ok(())
//! # }
//! ```

mod answer;
mod builder;
mod catalogue;
mod clock;
mod cors;
mod credentials;
mod document;
mod entry;
mod example;
mod fault;
mod heard;
mod page;
mod playback;
mod problem;
mod rate;
mod resource;
mod schema;
mod server;
mod session_calls;
mod sessions;
mod socket;
mod transcript;
mod validate;
mod world;

pub use answer::MockResponse;
pub use builder::Builder;
pub use document::{OperationInfo, operations};
pub use example::{Example, example_answer, example_request, example_requests};
pub use fault::{Failure, Fault, Mutation};
pub use heard::{Heard, SocketFault, Utterance, UtteranceEnd};
pub use server::{Recorded, Server};
pub use socket::EventStyle;
