//! A session configuration: one mode's token request that has passed every rule.

use std::marker::PhantomData;
use std::str::FromStr;
use std::time::SystemTime;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::mode::{Custom, Full, Lite, Mode, ModeName};
use super::path::Path;
use super::problem::{Diagnostic, Diagnostics};
use super::rules::{MISSING_FIELD, MODE_UNKNOWN, WRONG_MODE_FIELD, WRONG_TYPE};
use super::{check, own_room, parse};
use crate::types::CreateSessionTokenBody;

/// The configuration of one session in one mode, checked by every rule before it exists.
///
/// Built in code, from the generated request type, or read from JSON. Reading is strict: a field that the service would
/// ignore in silence is an error with the place where it belongs. What was built can be written back as JSON.
///
/// ```
/// use liveavatar_api::session::{Configuration, Full, SANDBOX_AVATAR_ID};
/// use liveavatar_api::types::AvatarPersona;
///
/// let persona: AvatarPersona = AvatarPersona::builder().language("en".to_owned()).try_into()?;
/// let configuration = Configuration::<Full>::build(|full| {
///     full.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).avatar_persona(persona)
/// })?;
/// // Both problems of another one are reported at once: nobody to talk to, and too long for the sandbox.
/// let problems = Configuration::<Full>::build(|full| {
///     full.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).max_session_duration(600)
/// });
/// assert_eq!(problems.unwrap_err().errors().count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration<M: Mode> {
    body: CreateSessionTokenBody,
    warnings: Diagnostics,
    mode: PhantomData<M>,
}

impl<M: Mode> Configuration<M> {
    /// Builds one with the generated builder of the mode's request.
    ///
    /// The builder starts with the mode's name set; FULL takes `mode(None)` where the voice agent decides it.
    ///
    /// # Errors
    /// Every broken rule at once; a value that does not convert, such as text that is no UUID, is reported alone.
    pub fn build(with: impl FnOnce(M::Builder) -> M::Builder) -> Result<Self, Diagnostics> {
        let request = M::finish(with(M::begin())).map_err(|text| unconvertible(&text))?;
        Self::new(request)
    }

    /// Checks a request that was put together elsewhere.
    ///
    /// # Errors
    /// Every broken rule at once.
    pub fn new(request: M::Request) -> Result<Self, Diagnostics> {
        // The request's types write themselves as JSON objects; nothing in them can fail.
        let value = serde_json::to_value(&request).unwrap_or_default();
        let problems = check(M::NAME, &value);
        if problems.has_errors() {
            return Err(problems);
        }
        Ok(Self { body: M::body(request), warnings: problems, mode: PhantomData })
    }

    /// Takes a request as it is, whatever rule it breaks: for a service that has moved on from what this crate knows.
    ///
    /// What the check says of it can be read from [`warnings`](Self::warnings), errors among them.
    #[must_use]
    pub fn unchecked(request: M::Request) -> Self {
        let value = serde_json::to_value(&request).unwrap_or_default();
        Self { warnings: check(M::NAME, &value), body: M::body(request), mode: PhantomData }
    }

    /// Reads one from JSON text.
    ///
    /// # Errors
    /// Every problem at once: syntax, a key that stands twice, unknown and misplaced fields, values, rules, another mode.
    pub fn from_json(text: &str) -> Result<Self, Diagnostics> {
        let (mode, value) = parse(text)?;
        if mode != M::NAME {
            return Err(other_mode(mode, M::NAME));
        }
        Self::from_checked(value)
    }

    /// Makes the typed request of a value whose mode is known to be this one.
    fn from_checked(mut value: Value) -> Result<Self, Diagnostics> {
        let problems = check(M::NAME, &value);
        if problems.has_errors() {
            return Err(problems);
        }
        rename(&mut value, M::WIRE_NAME);
        whole(&mut value);
        let request = serde_json::from_value(value).map_err(|error| undecodable(&error))?;
        Ok(Self { body: M::body(request), warnings: problems, mode: PhantomData })
    }

    /// The token request as it is sent.
    #[must_use]
    pub fn body(&self) -> &CreateSessionTokenBody {
        &self.body
    }

    /// What is doubtful about it without being wrong.
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
    /// Says CUSTOM on the wire, the name that the mode had before February 2026, for a service that still knows it.
    ///
    /// Without this the request says LITE. Whether today's service accepts CUSTOM is not known.
    ///
    /// # Errors
    /// When a field is set that the request had not got then, and would be ignored.
    pub fn under_its_older_name(mut self) -> Result<Self, Diagnostics> {
        let value = self.to_value();
        let older: crate::types::CustomSessionConfig =
            serde_json::from_value(value.clone()).map_err(|error| undecodable(&error))?;
        let kept = serde_json::to_value(&older).unwrap_or_default();
        let lost: Vec<&str> = value
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
            .filter(|key| kept.get(key.as_str()).is_none())
            .map(String::as_str)
            .collect();
        if !lost.is_empty() {
            return Err(not_in_custom(&lost));
        }
        self.body = older.into();
        Ok(self)
    }
}

/// What a generated builder says of the first value that is missing or does not convert.
fn unconvertible(text: &str) -> Diagnostics {
    let missing = text.strip_prefix("no value supplied for ");
    let wrong =
        text.strip_prefix("error converting supplied value for ").and_then(|rest| rest.split_once(": "));
    Diagnostics::new(vec![match (missing, wrong) {
        (Some(field), _) => Diagnostic::new(&MISSING_FIELD, &Path::of(&[field]), "is required"),
        (None, Some((field, _))) => Diagnostic::new(
            &WRONG_TYPE,
            &Path::of(&[field]),
            "the value given does not convert to the field's type",
        ),
        (None, None) => Diagnostic::new(
            &WRONG_TYPE,
            &Path::default(),
            "a value given does not convert to its field's type",
        ),
    }])
}

fn other_mode(found: ModeName, wanted: ModeName) -> Diagnostics {
    let message = format!("the configuration is for {found}, and {wanted} is asked for");
    let hint = "read it as any mode, or change its `mode`".to_owned();
    Diagnostics::new(vec![Diagnostic::new(&MODE_UNKNOWN, &Path::of(&["mode"]), message).with_hint(hint)])
}

fn undecodable(error: &serde_json::Error) -> Diagnostics {
    // The error's own text may quote the value.
    let message =
        format!("the value at line {} column {} does not fit its field", error.line(), error.column());
    Diagnostics::new(vec![Diagnostic::new(&WRONG_TYPE, &Path::default(), message)])
}

fn not_in_custom(fields: &[&str]) -> Diagnostics {
    let problem = |field: &&str| {
        Diagnostic::new(&WRONG_MODE_FIELD, &Path::of(&[*field]), "is no field of the early CUSTOM request")
            .with_hint("leave it out, or let the request say LITE".to_owned())
    };
    Diagnostics::new(fields.iter().map(problem).collect())
}

/// Whole numbers written as `60.0`, which the check takes and a Rust integer does not.
fn whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            // Above 2^53 a float names no single integer.
            if let Some(float) = number.as_f64().filter(|_| number.is_f64())
                && float.fract() == 0.0
                && float.abs() < 9_007_199_254_740_992.0
                && let Ok(integer) = format!("{float:.0}").parse::<i64>()
            {
                *number = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Object(map) => map.values_mut().for_each(whole),
        _ => {}
    }
}

/// Writes a mode's name into a configuration that names one.
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

/// Strict like [`Configuration::from_json`], except that a key that stands twice cannot be seen here.
impl<'de, M: Mode> Deserialize<'de> for Configuration<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Value::deserialize(deserializer)?.to_string();
        Self::from_json(&text).map_err(D::Error::custom)
    }
}

/// A configuration whose mode is known only when it is read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnyConfiguration {
    /// The service runs the conversation.
    Full(Configuration<Full>),
    /// The caller supplies the audio.
    Lite(Configuration<Lite>),
    /// LITE in the caller's own LiveKit room, under its earlier name.
    Custom(Configuration<Custom>),
}

impl AnyConfiguration {
    /// Reads a configuration of any mode from JSON text.
    ///
    /// # Errors
    /// Every problem at once, as [`Configuration::from_json`].
    pub fn from_json(text: &str) -> Result<Self, Diagnostics> {
        let (mode, value) = parse(text)?;
        Ok(match mode {
            ModeName::Full => Self::Full(Configuration::from_checked(value)?),
            ModeName::Lite => Self::Lite(Configuration::from_checked(value)?),
            ModeName::Custom => Self::Custom(Configuration::from_checked(value)?),
        })
    }

    /// The mode that it was read as.
    #[must_use]
    pub fn mode(&self) -> ModeName {
        match self {
            Self::Full(_) => ModeName::Full,
            Self::Lite(_) => ModeName::Lite,
            Self::Custom(_) => ModeName::Custom,
        }
    }

    /// What is doubtful about it without being wrong.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        match self {
            Self::Full(configuration) => configuration.warnings(),
            Self::Lite(configuration) => configuration.warnings(),
            Self::Custom(configuration) => configuration.warnings(),
        }
    }
}

impl From<Configuration<Full>> for AnyConfiguration {
    fn from(configuration: Configuration<Full>) -> Self {
        Self::Full(configuration)
    }
}

impl From<Configuration<Lite>> for AnyConfiguration {
    fn from(configuration: Configuration<Lite>) -> Self {
        Self::Lite(configuration)
    }
}

impl From<Configuration<Custom>> for AnyConfiguration {
    fn from(configuration: Configuration<Custom>) -> Self {
        Self::Custom(configuration)
    }
}

impl FromStr for AnyConfiguration {
    type Err = Diagnostics;

    fn from_str(text: &str) -> Result<Self, Diagnostics> {
        Self::from_json(text)
    }
}

impl Serialize for AnyConfiguration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Full(configuration) => configuration.serialize(serializer),
            Self::Lite(configuration) => configuration.serialize(serializer),
            Self::Custom(configuration) => configuration.serialize(serializer),
        }
    }
}

/// Strict like [`AnyConfiguration::from_json`], except that a key that stands twice cannot be seen here.
impl<'de> Deserialize<'de> for AnyConfiguration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Value::deserialize(deserializer)?.to_string();
        Self::from_json(&text).map_err(D::Error::custom)
    }
}

/// What a token can be minted for: a configuration of one mode or of any.
pub trait Mintable {
    /// The mode of the session, where it is known to the compiler.
    type Mode;

    /// The token request as it is sent.
    fn body(&self) -> &CreateSessionTokenBody;

    /// What has come to speak against it since it was checked, such as a LiveKit token that has expired.
    fn diagnostics_at(&self, _now: SystemTime) -> Diagnostics {
        Diagnostics::default()
    }
}

impl<M: Mode> Mintable for Configuration<M> {
    type Mode = M;

    fn body(&self) -> &CreateSessionTokenBody {
        &self.body
    }

    /// None for a configuration that was taken unchecked.
    fn diagnostics_at(&self, now: SystemTime) -> Diagnostics {
        if self.warnings.has_errors() {
            return Diagnostics::default();
        }
        own_room::diagnostics_at(M::NAME, &self.body, now)
    }
}

/// Stands for a mode that is known only when the configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyMode;

impl Mintable for AnyConfiguration {
    type Mode = AnyMode;

    fn body(&self) -> &CreateSessionTokenBody {
        match self {
            Self::Full(configuration) => configuration.body(),
            Self::Lite(configuration) => configuration.body(),
            Self::Custom(configuration) => configuration.body(),
        }
    }

    fn diagnostics_at(&self, now: SystemTime) -> Diagnostics {
        match self {
            Self::Full(configuration) => configuration.diagnostics_at(now),
            Self::Lite(configuration) => configuration.diagnostics_at(now),
            Self::Custom(configuration) => configuration.diagnostics_at(now),
        }
    }
}

#[cfg(feature = "schemars")]
mod json_schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator};

    use super::{AnyConfiguration, Configuration};
    use crate::config::mode::{Custom, Full, Lite, Mode, ModeName};
    use crate::config::schema::json_schema;

    /// The document's own schema, closed: what editors need to complete and check a configuration file.
    impl<M: Mode> JsonSchema for Configuration<M> {
        fn schema_name() -> Cow<'static, str> {
            match M::NAME {
                ModeName::Full => "FullConfiguration".into(),
                ModeName::Lite => "LiteConfiguration".into(),
                ModeName::Custom => "CustomConfiguration".into(),
            }
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema(M::NAME, generator)
        }
    }

    impl JsonSchema for AnyConfiguration {
        fn schema_name() -> Cow<'static, str> {
            "Configuration".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            schemars::json_schema!({
                "oneOf": [
                    generator.subschema_for::<Configuration<Full>>(),
                    generator.subschema_for::<Configuration<Lite>>(),
                    generator.subschema_for::<Configuration<Custom>>(),
                ]
            })
        }
    }
}
