//! The guide. Every snippet is compiled, and those that need no API key run.
//!
//! | Page | Contents |
//! | --- | --- |
//! | [`full`] | FULL mode: the service listens, thinks and speaks |
//! | [`lite`] | LITE mode: the caller supplies the audio |
//! | [`own_room`] | CUSTOM mode: the avatar joins the caller's own LiveKit room |
//! | [`life`] | the life of a session: opening, watching, ending, many at once, crashes, credits |
//! | [`talking`] | commands and events of a running session |
//! | [`browsers`] | a token endpoint for web pages |
//! | [`operations`] | all operations, by subject |
//! | [`synchronous`] | programs without async code |
//! | [`rest`] | the REST API by hand, compared with this crate |
//! | [`errors`] | what can go wrong, and what to do about it |
//! | [`testing`] | tests without an API key, a network or waiting |
//! | [`regenerating`] | following changes of the service's API |
//! | [`performance`] | measurements, compared with a client written by hand |

#[doc = include_str!("full.md")]
pub mod full {}
#[doc = include_str!("lite.md")]
pub mod lite {}
#[doc = include_str!("own_room.md")]
pub mod own_room {}
#[doc = include_str!("life.md")]
pub mod life {}
#[doc = include_str!("talking.md")]
pub mod talking {}
#[doc = include_str!("browsers.md")]
pub mod browsers {}
#[doc = include_str!(concat!(env!("OUT_DIR"), "/operations.md"))]
pub mod operations {}
#[doc = include_str!("synchronous.md")]
pub mod synchronous {}
#[doc = include_str!("rest.md")]
pub mod rest {}
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("testing.md")]
pub mod testing {}
#[doc = include_str!("regenerating.md")]
pub mod regenerating {}
#[doc = include_str!("performance.md")]
pub mod performance {}
