//! A session configuration: one mode's token request that has passed every rule.

use std::marker::PhantomData;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::check::{Checked, check, draft_mode, mode_of, wrong_mode};
use super::limits::SANDBOX_MAX_SESSION_DURATION;
use super::livekit::expired;
use super::mode::{Custom, Full, Lite, Mode, ModeName};
use super::parse::parse;
use super::rules::{LIVEKIT_TOKEN_EXPIRED, WRONG_MODE_FIELD};
use crate::schema::{Diagnostic, Diagnostics, Path, Strictness, WRONG_TYPE, read};
use crate::types::CreateSessionTokenBody;

/// A checked configuration of a session in one mode.
///
/// Built in code with the generated builder, or read from JSON. Reading is strict: a field that the service would silently
/// ignore is an error that says where the field belongs. Serializing writes it as JSON again.
///
/// ```
/// use liveavatar_api::session::{FullSession, SANDBOX_AVATAR_ID};
/// use liveavatar_api::types::AvatarPersona;
///
/// let session = FullSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true);
/// let configuration = session.clone().avatar_persona(AvatarPersona::builder().language("en")).build()?;
/// // All errors are reported at once: no persona or agent, and too long for the sandbox.
/// let wrong = session.max_session_duration(600).build();
/// assert_eq!(wrong.unwrap_err().errors().count(), 2);
/// # Ok::<(), liveavatar_api::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration<M: Mode> {
    body: CreateSessionTokenBody,
    warnings: Diagnostics,
    /// When the token of the caller's LiveKit room expires, in seconds since 1970.
    token_expires: Option<f64>,
    mode: PhantomData<M>,
}

impl<M: Mode> Configuration<M> {
    /// Checks a request that was built elsewhere.
    ///
    /// # Errors
    /// Every broken rule at once.
    pub fn new(request: M::Request) -> Result<Self, Diagnostics> {
        let configuration = Self::unchecked(request);
        if configuration.warnings.has_errors() { Err(configuration.warnings) } else { Ok(configuration) }
    }

    /// Accepts a request that breaks rules: for a service that is newer than this crate.
    ///
    /// [`warnings`](Self::warnings) then includes the errors.
    #[must_use]
    pub fn unchecked(request: M::Request) -> Self {
        // The request's types always serialize to a JSON object.
        let value = serde_json::to_value(&request).unwrap_or_default();
        Self::of_request(request, check(M::NAME, &value, Strictness::Texts(&[])))
    }

    /// Reads a configuration from JSON text.
    ///
    /// The field `$schema`, by which an editor finds the JSON Schema of a file, is accepted and not sent.
    ///
    /// # Errors
    /// Everything at once: syntax, duplicate keys, unknown and misplaced fields, values, rules, another mode.
    pub fn from_json(text: &str) -> Result<Self, Diagnostics> {
        let (mode, value) = parse(text)?;
        Self::of_mode(mode, value)
    }

    fn of_mode(mode: ModeName, value: Value) -> Result<Self, Diagnostics> {
        if mode == M::NAME {
            return Self::from_value(value, Strictness::Everything);
        }
        Err(Diagnostics::new(vec![wrong_mode(M::NAME, mode)]))
    }

    /// Checks what a builder was given, of which the values at the JSON pointers `texts` were given as text.
    ///
    /// # Errors
    /// Every broken rule at once. An unlisted value is a warning if it was not given as text.
    pub(crate) fn from_draft(mut value: Value, texts: &[String]) -> Result<Self, Diagnostics> {
        let strictness = Strictness::Texts(texts);
        if let Some(wrong) = draft_mode(M::NAME, M::WIRE_NAME, &value) {
            let rest = check(M::NAME, &value, strictness).diagnostics;
            return Err(Diagnostics::new(rest.into_iter().chain([wrong]).collect()));
        }
        if let Some(object) = value.as_object_mut()
            && object.get("mode").is_some_and(Value::is_null)
        {
            object.remove("mode");
        }
        Self::from_value(value, strictness)
    }

    /// Checks a value whose mode is known to be this one.
    fn from_value(mut value: Value, strictness: Strictness<'_>) -> Result<Self, Diagnostics> {
        let checked = check(M::NAME, &value, strictness);
        if checked.diagnostics.has_errors() {
            return Err(checked.diagnostics);
        }
        rename(&mut value, M::WIRE_NAME);
        let request = read(value).map_err(|error| undecodable(&error))?;
        Ok(Self::of_request(request, checked))
    }

    fn of_request(request: M::Request, checked: Checked) -> Self {
        let Checked { diagnostics, token_expires } = checked;
        Self { body: M::body(request), warnings: diagnostics, token_expires, mode: PhantomData }
    }

    /// Returns the token request.
    #[must_use]
    pub fn body(&self) -> &CreateSessionTokenBody {
        &self.body
    }

    /// Returns the warnings of the check.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The configuration as JSON, in the form that [`from_json`](Self::from_json) reads.
    fn to_value(&self) -> Value {
        let mut value = serde_json::to_value(&self.body).unwrap_or_default();
        rename(&mut value, M::NAME.as_str());
        value
    }
}

impl Configuration<Custom> {
    /// Makes the request say CUSTOM, the mode's name before February 2026.
    ///
    /// By default it says LITE. Whether today's service still accepts CUSTOM is not known.
    ///
    /// # Errors
    /// If a field is set that the request did not have then: the service would ignore it.
    pub fn with_legacy_name(mut self) -> Result<Self, Diagnostics> {
        let value = self.to_value();
        let older: crate::types::CustomSessionConfig =
            serde_json::from_value(value.clone()).map_err(|error| undecodable(&error))?;
        let kept = serde_json::to_value(&older).unwrap_or_default();
        let keys = value.as_object().into_iter().flat_map(|map| map.keys());
        let lost: Vec<Diagnostic> = keys
            .filter(|key| kept.get(key.as_str()).is_none())
            .map(|key| {
                let message = "is not a field of the early CUSTOM request";
                Diagnostic::new(&WRONG_MODE_FIELD, [key.as_str()], message)
                    .with_hint("remove it, or send the request as LITE".to_owned())
            })
            .collect();
        if !lost.is_empty() {
            return Err(Diagnostics::new(lost));
        }
        self.body = older.into();
        Ok(self)
    }
}

/// Returns the longest time that the session can last, as far as its configuration says.
pub(crate) fn max_duration(body: &CreateSessionTokenBody) -> Option<Duration> {
    let (asked, is_sandbox) = match body {
        CreateSessionTokenBody::FullSessionConfig(full) => (full.max_session_duration, full.is_sandbox),
        CreateSessionTokenBody::LiteSessionConfig(lite) => (lite.max_session_duration, lite.is_sandbox),
        CreateSessionTokenBody::CustomSessionConfig(custom) => (None, custom.is_sandbox),
    };
    let asked = asked.and_then(|seconds| u64::try_from(seconds).ok());
    asked.or((is_sandbox == Some(true)).then_some(SANDBOX_MAX_SESSION_DURATION)).map(Duration::from_secs)
}

fn undecodable(error: &serde_json::Error) -> Diagnostics {
    // The error's own text may quote the value.
    let message =
        format!("the value at line {} column {} does not fit its field", error.line(), error.column());
    Diagnostics::new(vec![Diagnostic::new(WRONG_TYPE, Path::default(), message)])
}

/// Sets the mode of a configuration that has one.
fn rename(value: &mut Value, name: &str) {
    if let Some(Value::String(mode)) = value.get_mut("mode") {
        name.clone_into(mode);
    }
}

impl<M: Mode> FromStr for Configuration<M> {
    type Err = Diagnostics;

    fn from_str(text: &str) -> Result<Self, Diagnostics> {
        Self::from_json(text)
    }
}

impl<M: Mode> Serialize for Configuration<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

/// Strict like [`Configuration::from_json`], except that duplicate keys go unnoticed.
impl<'de, M: Mode> Deserialize<'de> for Configuration<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let mode = mode_of(&value, Vec::new()).map_err(D::Error::custom)?;
        Self::of_mode(mode, value).map_err(D::Error::custom)
    }
}

/// A configuration whose mode is known only at run time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum AnyConfiguration {
    /// The service runs the conversation.
    Full(Configuration<Full>),
    /// The caller supplies the audio.
    Lite(Configuration<Lite>),
    /// LITE in the caller's LiveKit room, under its earlier name.
    Custom(Configuration<Custom>),
}

macro_rules! each_mode {
    ($any:expr, $configuration:ident => $value:expr) => {
        match $any {
            Self::Full($configuration) => $value,
            Self::Lite($configuration) => $value,
            Self::Custom($configuration) => $value,
        }
    };
}

impl AnyConfiguration {
    /// Reads a configuration of any mode from JSON text.
    ///
    /// The field `$schema`, by which an editor finds the JSON Schema of a file, is accepted and not sent.
    ///
    /// # Errors
    /// Everything at once, as [`Configuration::from_json`].
    pub fn from_json(text: &str) -> Result<Self, Diagnostics> {
        let (mode, value) = parse(text)?;
        Self::of_mode(mode, value)
    }

    pub(crate) fn from_value(value: Value) -> Result<Self, Diagnostics> {
        Self::of_mode(mode_of(&value, Vec::new())?, value)
    }

    fn of_mode(mode: ModeName, value: Value) -> Result<Self, Diagnostics> {
        let strictness = Strictness::Everything;
        Ok(match mode {
            ModeName::Full => Self::Full(Configuration::from_value(value, strictness)?),
            ModeName::Lite => Self::Lite(Configuration::from_value(value, strictness)?),
            ModeName::Custom => Self::Custom(Configuration::from_value(value, strictness)?),
        })
    }

    /// Returns the mode.
    #[must_use]
    pub fn mode(&self) -> ModeName {
        match self {
            Self::Full(_) => ModeName::Full,
            Self::Lite(_) => ModeName::Lite,
            Self::Custom(_) => ModeName::Custom,
        }
    }

    /// Returns the warnings of the check.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        each_mode!(self, configuration => configuration.warnings())
    }
}

macro_rules! conversions {
    ($($mode:ident),*) => {
        $(impl From<Configuration<$mode>> for AnyConfiguration {
            fn from(configuration: Configuration<$mode>) -> Self {
                Self::$mode(configuration)
            }
        })*
    };
}

conversions!(Full, Lite, Custom);

impl FromStr for AnyConfiguration {
    type Err = Diagnostics;

    fn from_str(text: &str) -> Result<Self, Diagnostics> {
        Self::from_json(text)
    }
}

/// Strict like [`AnyConfiguration::from_json`], except that duplicate keys go unnoticed.
impl<'de> Deserialize<'de> for AnyConfiguration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A configuration for which a session token can be minted, of one mode or of any.
pub trait Mintable {
    /// The mode of the session, if it is known at compile time.
    type Mode;

    /// Returns the token request.
    fn body(&self) -> &CreateSessionTokenBody;

    /// Returns what has become wrong since the check, such as a LiveKit token that has expired.
    fn diagnostics_at(&self, _now: SystemTime) -> Diagnostics {
        Diagnostics::default()
    }
}

impl<M: Mode> Mintable for Configuration<M> {
    type Mode = M;

    fn body(&self) -> &CreateSessionTokenBody {
        &self.body
    }

    /// Returns nothing for an [unchecked](Configuration::unchecked) configuration with errors.
    fn diagnostics_at(&self, now: SystemTime) -> Diagnostics {
        let longest = max_duration(&self.body).map(|longest| longest.as_secs_f64());
        let expires = self.token_expires.filter(|_| !self.warnings.has_errors());
        let message = expires.and_then(|expires| expired(expires, longest, now));
        let diagnostic = message.map(|message| LIVEKIT_TOKEN_EXPIRED.diagnostic(message));
        Diagnostics::new(diagnostic.into_iter().collect())
    }
}

/// The mode of a session that is known only at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyMode;

impl Mintable for AnyConfiguration {
    type Mode = AnyMode;

    fn body(&self) -> &CreateSessionTokenBody {
        each_mode!(self, configuration => configuration.body())
    }

    fn diagnostics_at(&self, now: SystemTime) -> Diagnostics {
        each_mode!(self, configuration => configuration.diagnostics_at(now))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Configuration, Custom, Full, Lite, Mode};

    const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

    fn of_draft<M: Mode>(draft: Value, texts: &[&str]) -> Result<Configuration<M>, String> {
        let texts: Vec<String> = texts.iter().copied().map(str::to_owned).collect();
        Configuration::from_draft(draft, &texts).map_err(|diagnostics| diagnostics.to_string())
    }

    #[test]
    fn every_error_of_a_draft_is_found_at_once() {
        let draft =
            json!({"avatar_id": "Anna", "video_settings": {"quality": "hgih"}, "max_session_duration": 0});
        let wrong = of_draft::<Lite>(draft, &["/avatar_id", "/video_settings/quality"]).unwrap_err();
        let expected = "\
            error[not-a-uuid] avatar_id: is not a UUID\n  \
            hint: avatar names of the older HeyGen product are not ids; \
            GET /v1/avatars/public and GET /v1/avatars list the ids\n\
            error[session-duration] max_session_duration: is 0, must be at least 1\n  \
            hint: remove it for the longest session that the subscription allows\n\
            error[mode-missing] mode: is required without `voice_agent`\n  \
            hint: use `FULL` if the service runs the conversation, `LITE` if you send the audio\n\
            error[not-allowed-value] video_settings.quality: must be `very_high`, `high`, `medium` or `low`, not `hgih`\n  \
            hint: did you mean `high`?";
        assert_eq!(wrong, expected);
    }

    #[test]
    fn the_mode_of_a_draft_is_that_of_its_builder() {
        let draft = |mode: Value| json!({"mode": mode, "avatar_id": ID, "voice_agent": {"id": ID}});
        assert!(of_draft::<Full>(draft(json!("FULL")), &[]).is_ok());
        // The voice agent determines it.
        assert!(of_draft::<Full>(draft(Value::Null), &[]).is_ok());
        let wrong = of_draft::<Full>(draft(json!("LITE")), &[]).unwrap_err();
        assert!(wrong.starts_with("error[mode-unknown] mode: must be FULL"), "{wrong}");
        let room = json!({"livekit_url": "wss://a", "livekit_room": "r", "livekit_client_token": "t"});
        for mode in ["LITE", "CUSTOM"] {
            let draft = json!({"mode": mode, "avatar_id": ID, "livekit_config": room});
            assert!(of_draft::<Custom>(draft, &[]).is_ok());
        }
    }
}
