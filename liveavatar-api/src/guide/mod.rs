//! A guide: one page per mode, and one each for errors, the life of a session, talking, and testing.
//!
//! Every snippet is compiled, and those without a key run. It has no items; look for those where the pages lead.
//!
//! | Page | For |
//! | --- | --- |
//! | [`full`] | FULL mode: the service listens, thinks and speaks |
//! | [`lite`] | LITE mode: the caller supplies the audio |
//! | [`own_room`] | CUSTOM mode: the avatar joins the caller's own LiveKit room |
//! | [`life`] | a session's life: opening, watching, ending, many at once, crashes, credits |
//! | [`talking`] | commands and events while a session runs |
//! | [`browsers`] | a token endpoint for web pages |
//! | [`errors`] | what can go wrong, and what to do about it |
//! | [`testing`] | tests without a key, a network or waiting |
//! | [`regenerating`] | following the service when its API changes |

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
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("testing.md")]
pub mod testing {}
#[doc = include_str!("regenerating.md")]
pub mod regenerating {}
