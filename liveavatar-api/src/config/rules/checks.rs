//! The checks of rules across fields. Null counts as an absent field everywhere.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::Rule;
use crate::config::limits::{
    DOCUMENTED_OPENAI_MODELS, DYNAMIC_VARIABLES_ENTRIES, SANDBOX_AVATAR_ID, SANDBOX_MAX_SESSION_DURATION,
    SHORTEST_MAX_SESSION_DURATION,
};
use crate::config::livekit::{claims, expired};
use crate::config::mode::ModeName;
use crate::schema::{Diagnostic, Path, list, nearest};

pub(super) const NORMALIZATION: &[&str] =
    &["avatar_persona", "voice_settings", "apply_language_text_normalization"];
pub(super) const LLM_MODEL: &[&str] = &["avatar_persona", "llm_settings", "model"];
pub(super) const TOKEN: &[&str] = &["livekit_config", "livekit_client_token"];

pub(super) const TRANSPORTS: [&str; 2] = ["livekit_config", "agora_config"];
pub(super) const CONNECTORS: [&str; 3] =
    ["elevenlabs_agent_config", "openai_realtime_config", "gemini_realtime_config"];

/// The two places of `dynamic_variables` in FULL; those of a connector are sent to its vendor.
pub(super) const DYNAMIC_VARIABLES: [&[&str]; 2] =
    [&["dynamic_variables"], &["voice_agent", "dynamic_variables"]];

/// A configuration that is being checked.
pub(crate) struct Input<'a> {
    root: &'a Value,
    /// The token of the caller's LiveKit room, which FULL does not read.
    pub(super) token: Option<&'a str>,
    /// The claims of the token, if it is a JWT.
    pub(super) claims: Option<Value>,
}

impl<'a> Input<'a> {
    pub(crate) fn new(mode: ModeName, root: &'a Value) -> Self {
        let mut input = Self { root, token: None, claims: None };
        input.token = input.text(TOKEN).filter(|_| mode != ModeName::Full);
        input.claims = input.token.and_then(claims);
        input
    }

    /// When the token of the caller's LiveKit room expires, in seconds since 1970.
    pub(crate) fn token_expires(&self) -> Option<f64> {
        self.claims.as_ref()?.get("exp")?.as_f64()
    }

    /// One of the rights that the token grants in a room.
    pub(super) fn grant(&self, name: &str) -> Option<&Value> {
        self.claims.as_ref()?.get("video")?.get(name)
    }

    pub(super) fn get(&self, keys: &[&str]) -> Option<&'a Value> {
        keys.iter().try_fold(self.root, |value, key| value.get(key)).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, keys: &[&str]) -> Option<&'a str> {
        self.get(keys)?.as_str()
    }

    pub(super) fn has(&self, keys: &[&str]) -> bool {
        self.get(keys).is_some()
    }

    fn is_true(&self, keys: &[&str]) -> bool {
        self.get(keys) == Some(&Value::Bool(true))
    }

    /// Those of the top-level fields that are set.
    fn set_of<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        names.iter().copied().filter(|name| self.has(&[name])).collect()
    }

    /// `max_session_duration`, as written and in seconds.
    fn duration(&self) -> Option<(&'a Number, f64)> {
        let number = self.get(&["max_session_duration"])?.as_number()?;
        Some((number, number.as_f64()?))
    }

    /// The dynamic variables that the service itself reads.
    fn dynamic_variables(&self) -> impl Iterator<Item = (&'static [&'static str], &'a Map<String, Value>)> {
        DYNAMIC_VARIABLES.into_iter().filter_map(|keys| Some((keys, self.get(keys)?.as_object()?)))
    }
}

pub(super) fn persona_or_voice_agent(rule: &Rule, input: &Input<'_>) -> Vec<Diagnostic> {
    let (at, message, hint) = match (input.has(&["avatar_persona"]), input.has(&["voice_agent"])) {
        (true, true) => (
            Path::from(["avatar_persona"]),
            "cannot be combined with `voice_agent`",
            "keep `voice_agent`; `avatar_persona` is deprecated",
        ),
        (false, false) => (
            Path::default(),
            "FULL needs `voice_agent` or `avatar_persona`",
            "use a stored agent: `\"voice_agent\": {\"id\": …}`",
        ),
        _ => return vec![],
    };
    vec![Diagnostic::new(rule, at, message).with_hint(hint.to_owned())]
}

pub(super) fn too_many_variables(rule: &Rule, input: &Input<'_>) -> Vec<Diagnostic> {
    let limit = DYNAMIC_VARIABLES_ENTRIES;
    let too_many = input.dynamic_variables().filter(|(_, entries)| entries.len() > limit);
    let diagnostic = |(keys, entries): (&[&str], &Map<_, _>)| {
        let message = format!("has {} entries, at most {limit} are allowed", entries.len());
        Diagnostic::new(rule, Path::of(keys), message)
    };
    too_many.map(diagnostic).collect()
}

pub(super) fn too_long<'a>(
    rule: &Rule,
    input: &Input<'a>,
    what: &str,
    limit: usize,
    text: fn(&'a str, &'a Value) -> Option<&'a str>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (keys, entries) in input.dynamic_variables() {
        for (key, value) in entries {
            let length = text(key, value).map_or(0, |text| text.chars().count());
            if length > limit {
                let message = format!("the {what} has {length} characters, at most {limit} are allowed");
                found.push(Diagnostic::new(rule, Path::of(&[keys, &[key]].concat()), message));
            }
        }
    }
    found
}

pub(super) fn several(rule: &Rule, input: &Input<'_>, names: &[&str], what: &str) -> Vec<Diagnostic> {
    let set = input.set_of(names);
    let diagnostic = |name: &&str| {
        let message = format!("cannot be combined with `{}`: a session has one {what}", set[0]);
        Diagnostic::new(rule, [*name], message).with_hint(format!("keep only one of {}", list(&set, "and")))
    };
    set.iter().skip(1).map(diagnostic).collect()
}

pub(super) fn connector_with_transport(rule: &Rule, input: &Input<'_>) -> Vec<Diagnostic> {
    let connectors = input.set_of(&CONNECTORS);
    let Some(connector) = connectors.first() else { return vec![] };
    let diagnostic = |name| {
        let message = format!("may have no effect: `{connector}` creates its own room");
        let hint = "remove it unless you know that both work together".to_owned();
        Diagnostic::new(rule, [name], message).with_hint(hint)
    };
    input.set_of(&TRANSPORTS).into_iter().map(diagnostic).collect()
}

pub(super) fn token_is_for_another_room(input: &Input<'_>) -> bool {
    let named = input.grant("room").and_then(Value::as_str);
    let wanted = input.text(&["livekit_config", "livekit_room"]);
    named.is_some_and(|room| !room.is_empty()) && wanted.is_some() && named != wanted
}

pub(super) fn token_forbids_publishing(rule: &Rule, input: &Input<'_>) -> Vec<Diagnostic> {
    // LiveKit allows what the token does not mention.
    let forbidden = |name: &&str| input.grant(name).is_some_and(|grant| grant == false);
    let diagnostic =
        |name| rule.diagnostic(format!("forbids what the avatar needs: `video.{name}` is false"));
    ["canPublish", "canPublishData"].into_iter().filter(forbidden).map(diagnostic).collect()
}

pub(super) fn token_expires_too_soon(rule: &Rule, input: &Input<'_>) -> Vec<Diagnostic> {
    let sandbox = input
        .is_true(&["is_sandbox"])
        .then_some(Duration::from_secs(SANDBOX_MAX_SESSION_DURATION).as_secs_f64());
    let longest = input.duration().map(|(_, seconds)| seconds).or(sandbox);
    let message = input.token_expires().and_then(|expires| expired(expires, longest, SystemTime::now()));
    message.map(|message| rule.diagnostic(message)).into_iter().collect()
}

pub(super) fn is_not_the_sandbox_avatar(input: &Input<'_>) -> bool {
    let avatar = input.text(&["avatar_id"]).filter(|_| input.is_true(&["is_sandbox"]));
    avatar.is_some_and(|avatar| Uuid::try_parse(avatar) != Uuid::try_parse(SANDBOX_AVATAR_ID))
}

pub(super) fn too_long_for_sandbox(rule: &Rule, input: &Input<'_>) -> Vec<Diagnostic> {
    let limit = SANDBOX_MAX_SESSION_DURATION;
    let too_long = |(_, asked): &(_, f64)| {
        input.is_true(&["is_sandbox"]) && *asked > Duration::from_secs(limit).as_secs_f64()
    };
    let message = |(shown, _)| format!("is {shown} s, but a sandbox session lasts at most {limit} s");
    input.duration().filter(too_long).map(|found| rule.diagnostic(message(found))).into_iter().collect()
}

pub(super) fn too_short(rule: &Rule, input: &Input<'_>) -> Vec<Diagnostic> {
    let least = SHORTEST_MAX_SESSION_DURATION;
    let asked = input.duration().filter(|(_, asked)| *asked < Duration::from_secs(least).as_secs_f64());
    let message = asked.map(|(shown, _)| format!("is {shown}, must be at least {least}"));
    message.map(|message| rule.diagnostic(message)).into_iter().collect()
}

pub(super) fn normalizes_another_language(input: &Input<'_>) -> bool {
    let language = input.get(&["avatar_persona", "language"]);
    // Without a language the service uses `en`. Whether it accepts `ja-JP` is not known.
    let is_japanese = language
        .is_some_and(|language| language.as_str().is_none_or(|tag| tag == "ja" || tag.starts_with("ja-")));
    input.is_true(NORMALIZATION) && !is_japanese
}

pub(super) fn undocumented_model(rule: &Rule, input: &Input<'_>) -> Vec<Diagnostic> {
    let provider = input.text(&["avatar_persona", "llm_settings", "provider"]);
    let Some(model) = input.text(LLM_MODEL).filter(|_| provider == Some("openai")) else { return vec![] };
    if DOCUMENTED_OPENAI_MODELS.contains(&model) {
        return vec![];
    }
    let near = nearest(model, &DOCUMENTED_OPENAI_MODELS);
    let hint = match near.as_slice() {
        [] => format!("documented models are {};", list(&DOCUMENTED_OPENAI_MODELS, "and")),
        near => format!("did you mean {}?", list(near, "or")),
    };
    let message = "is not a documented model of `openai`; the service rejects unknown models";
    vec![rule.diagnostic(message).with_hint(format!("{hint} GET /v1/llm-models lists all models"))]
}
