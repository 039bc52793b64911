//! A mock of the LiveAvatar service: real HTTP on a loopback port, driven by the OpenAPI document.
//!
//! Routes, credentials, parameters and bodies come from the document, so an operation that is added there needs no code here.
//! Stored records follow from it too: paths and methods show which operations create, list, get, update and delete records
//! of a collection, and response schemas show what a record contains. Only the session operations have hand-written
//! behaviour, based on recorded facts about the live service. The mock never connects to the service.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use liveavatar_api::RequestOptions;
//! use liveavatar_mock::{MockResponse, Server};
//!
//! let server = Server::start().await?;
//! server.mock_response("get_user_credits", MockResponse::raw(502, "text/html", "<h1>Bad Gateway</h1>"));
//! let error = server.client()?.with_options(RequestOptions::new().max_attempts(1)).get_user_credits().await.unwrap_err();
//! assert_eq!(error.status(), Some(502));
//! assert_eq!(server.requests().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! [`Builder::sockets`] serves the command sockets of LITE sessions as well.
//!
//! # Rooms
//!
//! With the feature `room`, `Builder::room` serves a LiveKit room for each session, which LiveKit's own clients and the official web
//! SDK join unchanged. The avatar moves its mouth while it speaks: in FULL sessions a tone for each word, in LITE sessions the audio
//! that the command socket received. FULL sessions, and LITE sessions with a connector, have commands and events on the data channel.
//! Media is real UDP on loopback in real time, so it needs a real clock; moving the server's clock skips what is being said. The room
//! ends with its session. Late joiners and several users are supported. A client that lost its connection joins again.
//!
//! # Control API
//!
//! Tests in other languages control a running server over HTTP, below a prefix that the service does not use. These requests need no
//! credentials, and are neither delayed nor recorded.
//!
//! | Request | Effect |
//! | --- | --- |
//! | `GET /_mock/` | the window, a page that shows and controls what this table has |
//! | `GET /_mock/state` | sessions, slots, credits, clock and faults |
//! | `GET /_mock/events` | requests, responses, and frames on command sockets and data channels as they come, as server-sent events without secrets; `Last-Event-ID` resumes |
//! | `POST /_mock/clock` with `{"seconds": 60}` | moves the clock forward: [`Server::advance`] |
//! | `GET /_mock/credits`, `PUT /_mock/credits` with `{"credits": 5}` | reads or sets the credits |
//! | `POST /_mock/faults` with `{"operation": "start_session", "times": 2, "fault": …}` | [`Server::inject_fault`]; `times` is 1 by default |
//! | `DELETE /_mock/faults` | [`Server::clear_faults`], including those of sockets |
//! | `DELETE /_mock/faults/{id}` | removes one fault; `state` has its id, and so has the response to `POST` |
//! | `POST /_mock/socket-faults` with `{"command": "agent.speak", "times": 2, "fault": …}` | [`Server::socket_faults`] for the next such commands; `times` is 1 by default |
//! | `POST /_mock/sessions/{id}/end` with `{"reason": "AGENT_HANG_UP"}` | [`Server::end_session`]; 404 if the session is not running |
//! | `POST /_mock/sessions/{id}/events` with an event | [`Server::send_socket_event`]; 404 if the session lacks an open socket |
//! | `GET /_mock/sessions/{id}/activity` | what the session's sockets received, as JSON: [`Server::socket_activity`]; durations in seconds |
//! | `POST /_mock/rooms/faults` with a fault | `Server::inject_room_fault`; `DELETE /_mock/faults` clears it |
//! | `PUT /_mock/rooms/faults` with a list of faults | these faults of rooms, and no others, are in effect |
//! | `GET /_mock/sessions/{id}/room` | participants, commands and microphone packets of a room: `Server::room_activity` |
//! | `GET /_mock/sessions/{id}/audio` | the audio that the session's sockets received, as WAV, with [`Builder::record_audio`]; `?skip=48000` omits the first bytes of PCM |
//!
//! A fault is `{"delayed": 1.5}` (seconds), `{"mutated": "NullOptional"}` (a [`Mutation`]), or `{"before": …}` or `{"after": …}` with
//! `"disconnect"`, `"hang"`, or a response `{"status": 503, "headers": {"retry-after": "1"}, "body": {}}`. A socket fault is
//! `{"close": 1011}`, `"disconnect"`, `"hang"` or `{"garbage": "text"}` (a [`SocketFault`]). A 400 names the mistake.
//!
//! A fault of rooms is `{"late_avatar": 2.5}` (seconds), `"no_avatar"`, `"no_data"`, `{"packet_loss": 0.1}` (a share), `"silence"` or
//! `"disconnect"`.
//!
//! Pages of other sites cannot use it: the server rejects a foreign `Origin`, and a public name as `Host`. Programs send neither.
//!
//! # Invented behaviour
//!
//! Some behaviour of the service is not recorded. The mock invents:
//!
//! - the codes 4040 and 4290, the bodies of 404 and 429 responses, and the messages of 404 responses;
//! - that updating or deleting a public record returns 404;
//! - that an unknown `secret_id` and missing dynamic variables are rejected with 400 (that both are rejected is documented);
//! - that no token is minted for a deleted avatar, and that its sessions end at once;
//! - that a minute is charged when it begins and never refunded;
//! - that an avatar in training is ready after 60 seconds; any other value that the request did not set is the document's
//!   example;
//! - on command sockets, error messages and close codes, that a frame above 1 MB is rejected with an error, and that after
//!   speaking the avatar returns to the pose of the last command;
//! - that `X-RateLimit-Reset` is a Unix time in seconds on the mock's clock;
//! - in rooms, who sends events, the text of what a user said, that the user's speech is answered only while the avatar is silent,
//!   and that a command restarts the idle timeout;
//! - that embeds accept the sandbox avatar of sessions too.

mod builder;
mod call;
mod clock;
mod control;
mod cors;
mod credentials;
mod document;
mod example;
mod fault;
mod handler;
mod journal;
mod mask;
mod playback;
mod rate_limit;
mod record;
mod recorded_request;
mod resource_operation;
mod response;
#[cfg(feature = "room")]
mod room;
mod schema;
mod server;
mod session_operations;
mod sessions;
mod shared;
mod snapshot;
mod socket;
mod socket_activity;
mod state;
mod storage;
mod transcript;
mod validation;
mod violation;
mod window;

pub use builder::Builder;
pub use document::{OperationInfo, operations};
pub use example::{Example, example_request, example_requests, example_response};
pub use fault::{Failure, Fault, Mutation};
pub use recorded_request::RecordedRequest;
pub use response::MockResponse;
#[cfg(feature = "room")]
pub use room::{RoomActivity, RoomFault};
pub use server::Server;
pub use socket::EventStyle;
pub use socket_activity::{SocketActivity, SocketFault, Utterance, UtteranceEnd};
