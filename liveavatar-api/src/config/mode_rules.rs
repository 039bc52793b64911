//! The checks of rules that look at more than one field, or at more than the schemas say.
//!
//! A null counts as an absent field everywhere. Ids, severities and sources are in `rules`.

use super::hint::{list, nearest};
use super::limits::{
    DOCUMENTED_OPENAI_MODELS, DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS,
    DYNAMIC_VARIABLES_ENTRIES, SANDBOX_AVATAR_ID, SANDBOX_MAX_SESSION_DURATION,
    SHORTEST_MAX_SESSION_DURATION,
};
use super::path::Path;
use super::problem::ModeName;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

const TRANSPORTS: [&str; 2] = ["livekit_config", "agora_config"];
const CONNECTORS: [&str; 3] = ["elevenlabs_agent_config", "openai_realtime_config", "gemini_realtime_config"];

/// The two places of `dynamic_variables` in FULL; those of a connector go to its vendor.
const DYNAMIC_VARIABLES: [&[&str]; 2] = [&["dynamic_variables"], &["voice_agent", "dynamic_variables"]];

/// How to choose a mode.
pub(super) const MODE_HINT: &str =
    "`FULL` if the service runs the conversation, `LITE` if you send the audio";

/// A configuration and the mode it is checked for.
pub(super) struct Context<'a> {
    mode: ModeName,
    root: &'a Value,
}

/// What a check has to say about one place.
pub(super) struct Finding {
    pub(super) path: Path,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl<'a> Context<'a> {
    pub(super) fn new(mode: ModeName, root: &'a Value) -> Self {
        Self { mode, root }
    }

    pub(super) fn get(&self, keys: &[&str]) -> Option<&'a Value> {
        let value = keys.iter().try_fold(self.root, |value, key| value.get(key))?;
        (!value.is_null()).then_some(value)
    }

    fn has(&self, keys: &[&str]) -> bool {
        self.get(keys).is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        self.mode == ModeName::Full
    }

    /// The fields of a list that are set; FULL reads none of those asked for here.
    fn set_of(&self, names: &[&'static str]) -> Vec<&'static str> {
        names.iter().copied().filter(|name| !self.is_full() && self.has(&[name])).collect()
    }

    /// `max_session_duration`, as written and in seconds.
    pub(super) fn duration(&self) -> Option<(&'a Number, f64)> {
        let number = self.get(&["max_session_duration"])?.as_number()?;
        Some((number, number.as_f64()?))
    }

    pub(super) fn is_sandbox(&self) -> bool {
        self.get(&["is_sandbox"]) == Some(&Value::Bool(true))
    }

    /// The sets of dynamic variables that the service itself reads.
    fn dynamic_variables(&self) -> impl Iterator<Item = (Path, &'a Map<String, Value>)> {
        let places = DYNAMIC_VARIABLES.into_iter().filter(|_| self.is_full());
        places.filter_map(|keys| Some((Path::of(keys), self.get(keys)?.as_object()?)))
    }
}

impl Finding {
    pub(super) fn at(keys: &[&str], message: impl Into<String>) -> Self {
        Self { path: Path::of(keys), message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn when(self, broken: bool) -> Vec<Self> {
        if broken { vec![self] } else { vec![] }
    }
}

pub(super) fn mode_missing(context: &Context<'_>) -> Vec<Finding> {
    let derived = context.is_full() && context.has(&["voice_agent"]);
    missing_mode().when(!context.has(&["mode"]) && !derived)
}

/// What to say where neither a mode nor a voice agent is named.
pub(super) fn missing_mode() -> Finding {
    Finding::at(&["mode"], "is required without `voice_agent`").hint(MODE_HINT)
}

pub(super) fn persona_or_voice_agent(context: &Context<'_>) -> Vec<Finding> {
    let persona = context.has(&["avatar_persona"]);
    let agent = context.has(&["voice_agent"]);
    match (context.is_full(), persona, agent) {
        (true, true, true) => {
            vec![
                Finding::at(&["avatar_persona"], "cannot stand beside `voice_agent`")
                    .hint("keep `voice_agent`; `avatar_persona` is deprecated in its favour"),
            ]
        }
        (true, false, false) => {
            vec![
                Finding::at(&[], "FULL needs `voice_agent` or `avatar_persona`, neither is set")
                    .hint("name a stored agent: `\"voice_agent\": {\"id\": …}`"),
            ]
        }
        _ => vec![],
    }
}

pub(super) fn dynamic_variables_twice(context: &Context<'_>) -> Vec<Finding> {
    let [outside, inside] = DYNAMIC_VARIABLES.map(|keys| context.has(keys));
    Finding::at(DYNAMIC_VARIABLES[0], "are set here and inside `voice_agent`")
        .hint("keep those inside `voice_agent`")
        .when(context.is_full() && outside && inside)
}

pub(super) fn dynamic_variables_outside_agent(context: &Context<'_>) -> Vec<Finding> {
    let [outside, inside] = DYNAMIC_VARIABLES.map(|keys| context.has(keys));
    let agent = context.has(&["voice_agent"]);
    Finding::at(DYNAMIC_VARIABLES[0], "stand beside `voice_agent`, not inside it")
        .hint("move them to `voice_agent.dynamic_variables`")
        .when(context.is_full() && agent && outside && !inside)
}

pub(super) fn dynamic_variables_entries(context: &Context<'_>) -> Vec<Finding> {
    let too_many = |variables: &Map<String, Value>| variables.len() > DYNAMIC_VARIABLES_ENTRIES;
    let findings = context.dynamic_variables().filter(|(_, variables)| too_many(variables));
    findings
        .map(|(path, variables)| Finding {
            path,
            message: format!("have {} entries, allowed are {DYNAMIC_VARIABLES_ENTRIES}", variables.len()),
            hint: None,
        })
        .collect()
}

pub(super) fn dynamic_variable_key(context: &Context<'_>) -> Vec<Finding> {
    let keys = context
        .dynamic_variables()
        .flat_map(|(path, variables)| variables.keys().map(move |key| (path.key(key), key)));
    let lengths = keys.map(|(path, key)| (path, key.chars().count()));
    lengths
        .filter(|(_, length)| *length > DYNAMIC_VARIABLE_KEY_CHARACTERS)
        .map(|(path, length)| Finding {
            path,
            message: format!(
                "the key has {length} characters, allowed are {DYNAMIC_VARIABLE_KEY_CHARACTERS}"
            ),
            hint: None,
        })
        .collect()
}

pub(super) fn dynamic_variable_value(context: &Context<'_>) -> Vec<Finding> {
    let values = context
        .dynamic_variables()
        .flat_map(|(path, variables)| variables.iter().map(move |(key, v)| (path.key(key), v)));
    let lengths = values.filter_map(|(path, value)| Some((path, value.as_str()?.chars().count())));
    lengths
        .filter(|(_, length)| *length > DYNAMIC_VARIABLE_VALUE_CHARACTERS)
        .map(|(path, length)| Finding {
            path,
            message: format!(
                "the value has {length} characters, allowed are {DYNAMIC_VARIABLE_VALUE_CHARACTERS}"
            ),
            hint: None,
        })
        .collect()
}

pub(super) fn one_transport(context: &Context<'_>) -> Vec<Finding> {
    one_of(&context.set_of(&TRANSPORTS), "is a second transport beside")
}

pub(super) fn one_connector(context: &Context<'_>) -> Vec<Finding> {
    one_of(&context.set_of(&CONNECTORS), "is a second driver beside")
}

fn one_of(set: &[&'static str], what: &str) -> Vec<Finding> {
    let Some((first, rest)) = set.split_first() else {
        return vec![];
    };
    let finding = |name: &&str| {
        Finding::at(&[name], format!("{what} `{first}`")).hint(format!("keep one of {}", list(set, "and")))
    };
    rest.iter().map(finding).collect()
}

pub(super) fn connector_with_transport(context: &Context<'_>) -> Vec<Finding> {
    let transports = context.set_of(&TRANSPORTS);
    let connectors = context.set_of(&CONNECTORS);
    let Some(connector) = connectors.first() else {
        return vec![];
    };
    let finding = |name: &&str| {
        Finding::at(&[name], format!("stands beside `{connector}`, which makes a room of its own"))
            .hint("leave it out unless you know that both work together")
    };
    transports.iter().map(finding).collect()
}

pub(super) fn custom_needs_livekit(context: &Context<'_>) -> Vec<Finding> {
    let custom = context.mode == ModeName::Custom;
    Finding::at(&["livekit_config"], "is required in CUSTOM")
        .hint("add the room, or use LITE, the name of this mode since early 2026")
        .when(custom && !context.has(&["livekit_config"]))
}

pub(super) fn sandbox_avatar(context: &Context<'_>) -> Vec<Finding> {
    let Some(avatar) = context.get(&["avatar_id"]).and_then(Value::as_str) else {
        return vec![];
    };
    let fits = Uuid::try_parse(avatar) == Uuid::try_parse(SANDBOX_AVATAR_ID);
    Finding::at(&["avatar_id"], "is not the avatar that works in sandbox sessions")
        .hint(format!("use `{SANDBOX_AVATAR_ID}`, or set `is_sandbox` to false"))
        .when(context.is_sandbox() && !fits)
}

pub(super) fn sandbox_duration(context: &Context<'_>) -> Vec<Finding> {
    let Some((shown, seconds)) = context.duration() else {
        return vec![];
    };
    let limit = SANDBOX_MAX_SESSION_DURATION;
    let message = format!("is {shown} seconds, a sandbox session lasts {limit} at most");
    Finding::at(&["max_session_duration"], message)
        .hint("leave it out")
        .when(context.is_sandbox() && seconds > seconds_of(limit))
}

pub(super) fn session_duration(context: &Context<'_>) -> Vec<Finding> {
    let Some((shown, seconds)) = context.duration() else {
        return vec![];
    };
    let least = SHORTEST_MAX_SESSION_DURATION;
    Finding::at(&["max_session_duration"], format!("is {shown}, allowed is at least {least} second"))
        .hint("leave it out for the longest session of the subscription")
        .when(seconds < seconds_of(least))
}

/// The limits are small, so nothing is lost.
#[expect(clippy::cast_precision_loss, reason = "limits of seconds are far below 2^52")]
const fn seconds_of(limit: u64) -> f64 {
    limit as f64
}

pub(super) fn no_context(context: &Context<'_>) -> Vec<Finding> {
    let persona = context.get(&["avatar_persona"]).is_some_and(Value::is_object);
    let context_id = context.has(&["avatar_persona", "context_id"]);
    Finding::at(&["avatar_persona", "context_id"], "is not set; the avatar hears but does not answer")
        .hint("create a context with POST /v1/contexts and name it here")
        .when(context.is_full() && persona && !context_id)
}

pub(super) fn vp8_deprecated(context: &Context<'_>) -> Vec<Finding> {
    let path = ["video_settings", "encoding"];
    let encoding = context.get(&path).and_then(Value::as_str);
    Finding::at(&path, "`VP8` is reported as deprecated")
        .hint("use `H264`, the default")
        .when(encoding == Some("VP8"))
}

pub(super) fn normalization_needs_japanese(context: &Context<'_>) -> Vec<Finding> {
    let path = ["avatar_persona", "voice_settings", "apply_language_text_normalization"];
    let language = context.get(&["avatar_persona", "language"]);
    // Without a language the service takes `en`. Whether `ja-JP` counts is not known.
    let japanese = match language {
        Some(Value::String(tag)) => tag == "ja" || tag.starts_with("ja-"),
        Some(_) => true,
        None => false,
    };
    Finding::at(&path, "works for Japanese only, the session's language is another")
        .hint("set `avatar_persona.language` to `ja`, or leave it out")
        .when(context.is_full() && context.get(&path) == Some(&Value::Bool(true)) && !japanese)
}

pub(super) fn llm_model_undocumented(context: &Context<'_>) -> Vec<Finding> {
    let settings = ["avatar_persona", "llm_settings"];
    let of = |name| context.get(&[settings[0], settings[1], name]).and_then(Value::as_str);
    let Some(model) = of("model").filter(|_| context.is_full() && of("provider") == Some("openai")) else {
        return vec![];
    };
    let near = nearest(model, &DOCUMENTED_OPENAI_MODELS);
    let hint = match near.as_slice() {
        [] => format!("documented are {};", list(&DOCUMENTED_OPENAI_MODELS, "and")),
        near => format!("did you mean {}?", list(near, "or")),
    };
    let message = "is not among the documented models of `openai`; the service refuses unknown ones";
    Finding::at(&[settings[0], settings[1], "model"], message)
        .hint(format!("{hint} GET /v1/llm-models lists all"))
        .when(!DOCUMENTED_OPENAI_MODELS.contains(&model))
}

pub(super) fn two_language_models(context: &Context<'_>) -> Vec<Finding> {
    let managed = context.has(&["avatar_persona", "llm_settings"]);
    let custom = context.has(&["llm_configuration_id"]);
    let message = "chooses a language model, and `avatar_persona.llm_settings` another";
    Finding::at(&["llm_configuration_id"], message)
        .hint("keep one; which of them counts is not documented")
        .when(context.is_full() && managed && custom)
}

pub(super) fn two_memories(context: &Context<'_>) -> Vec<Finding> {
    let references = ["prev_session_id", "session_memory_id"];
    let both = references.iter().all(|name| context.has(&["memory", name]));
    Finding::at(&["memory"], "has two references; the service refuses them unless they agree")
        .hint("keep `session_memory_id` or `prev_session_id`")
        .when(context.is_full() && both)
}
