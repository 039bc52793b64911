//! The modes as types, so that the compiler knows what each session can do.

use std::fmt::{self, Debug};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::types::{self, CreateSessionTokenBody};

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

    #[doc(hidden)]
    fn body(request: Self::Request) -> CreateSessionTokenBody;
}

/// A mode in which the caller supplies the audio, over the session's web socket.
///
/// Implemented by [`Lite`] and [`Custom`].
pub trait SuppliesAudio: Mode {}

impl SuppliesAudio for Lite {}

impl SuppliesAudio for Custom {}

/// FULL: the service listens, thinks and speaks; the caller may send text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// LITE: the caller, or a connector, supplies the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lite;

/// CUSTOM, the earlier name of LITE: the caller supplies the audio and the LiveKit room.
///
/// The service's first documentation requires the room in this mode; since February 2026 the mode is called LITE and the
/// room is optional. A CUSTOM configuration cannot be built without its room. Its request says LITE, unless
/// [`with_legacy_name`](super::Configuration::with_legacy_name) is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Custom;

/// The name of a mode: `FULL`, `LITE` or `CUSTOM`, in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModeName {
    /// The service listens, thinks and speaks.
    Full,
    /// The caller supplies the audio.
    Lite,
    /// The earlier name of LITE; whether the service still accepts it is not known.
    Custom,
}

impl ModeName {
    pub(super) const ALL: [Self; 3] = [Self::Full, Self::Lite, Self::Custom];

    /// Returns the name as the service spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Lite => "LITE",
            Self::Custom => "CUSTOM",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// The mode that has fields which this one lacks.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Full => Self::Lite,
            Self::Lite | Self::Custom => Self::Full,
        }
    }
}

impl fmt::Display for ModeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! mode {
    ($mode:ident, $wire:literal, $request:ident) => {
        impl sealed::Sealed for $mode {}

        impl Mode for $mode {
            const NAME: ModeName = ModeName::$mode;
            const WIRE_NAME: &'static str = $wire;
            type Request = types::$request;

            fn body(request: Self::Request) -> CreateSessionTokenBody {
                request.into()
            }
        }
    };
}

mode!(Full, "FULL", FullSessionConfig);
mode!(Lite, "LITE", LiteSessionConfig);
mode!(Custom, "LITE", LiteSessionConfig);
