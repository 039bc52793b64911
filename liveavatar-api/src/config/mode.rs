//! The modes as types: what each can be asked is known to the compiler.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use super::problem::ModeName;
use crate::types::{self, CreateSessionTokenBody, builder};

mod sealed {
    pub trait Sealed {}
}

/// A mode of a session.
///
/// Implemented by [`Full`], [`Lite`] and [`Custom`].
pub trait Mode: sealed::Sealed + Clone + Debug + PartialEq + 'static {
    /// The mode's name in configuration files.
    const NAME: ModeName;

    /// The mode's name in the request.
    const WIRE_NAME: &'static str;

    /// The generated request.
    type Request: Serialize + DeserializeOwned + Clone + PartialEq + Debug;

    /// The generated request's builder.
    type Builder;

    #[doc(hidden)]
    fn begin() -> Self::Builder;

    #[doc(hidden)]
    fn finish(builder: Self::Builder) -> Result<Self::Request, String>;

    #[doc(hidden)]
    fn body(request: Self::Request) -> CreateSessionTokenBody;
}

/// A mode in which the caller supplies the audio, over the session's own web socket.
///
/// Implemented by [`Lite`] and [`Custom`].
pub trait SuppliesAudio: Mode {}

impl SuppliesAudio for Lite {}

impl SuppliesAudio for Custom {}

/// FULL: the service listens, thinks and speaks; the caller sends text at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// LITE: the caller supplies the audio, or a connector does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lite;

/// CUSTOM, the earlier name of LITE: the caller supplies the audio and the LiveKit room.
///
/// The service's first documentation expects the room with this name; since February 2026 the mode is called LITE and the
/// room is optional. A CUSTOM configuration cannot be built without its room, and says LITE on the wire unless
/// [`under_its_older_name`](super::Configuration::under_its_older_name) is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Custom;

macro_rules! mode {
    ($mode:ident, $wire:literal, $request:ident, $begin:expr) => {
        impl sealed::Sealed for $mode {}

        impl Mode for $mode {
            const NAME: ModeName = ModeName::$mode;
            const WIRE_NAME: &'static str = $wire;
            type Request = types::$request;
            type Builder = builder::$request;

            fn begin() -> Self::Builder {
                $begin
            }

            fn finish(builder: Self::Builder) -> Result<Self::Request, String> {
                builder.try_into().map_err(|error: types::error::ConversionError| error.to_string())
            }

            fn body(request: Self::Request) -> CreateSessionTokenBody {
                request.into()
            }
        }
    };
}

mode!(
    Full,
    "FULL",
    FullSessionConfig,
    types::FullSessionConfig::builder().mode(types::FullSessionConfigMode::Full)
);
mode!(Lite, "LITE", LiteSessionConfig, types::LiteSessionConfig::builder());
mode!(Custom, "LITE", LiteSessionConfig, types::LiteSessionConfig::builder());
