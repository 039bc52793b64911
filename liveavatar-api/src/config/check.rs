//! The check: one walk over the value and the fields of the mode, then the rules across fields.

use serde_json::{Map, Value};

use super::fields;
use super::mode::ModeName;
use super::rules::{Input, MODE_HINT, MODE_MISSING, MODE_UNKNOWN, NOT_AN_OBJECT, RULES, WRONG_MODE_FIELD};
use super::suggest::unknown_field;
use crate::schema::{
    Cursor, Diagnostic, Diagnostics, NULL_NOT_ALLOWED, Path, Strictness, Walk, nearest, not_allowed,
    wrong_type,
};

const MODE: &str = "mode";

/// The key by which an editor finds the JSON Schema of a file. It is not sent.
pub(super) const SCHEMA: &str = "$schema";

pub(crate) struct Checked {
    pub(super) diagnostics: Diagnostics,
    /// When the token of the caller's LiveKit room expires, in seconds since 1970.
    pub(super) token_expires: Option<f64>,
}

/// Checks fields, values and the rules of the mode.
///
/// The caller vouches for `mode`; the check does not compare it with the `mode` field of the value.
pub(crate) fn check(mode: ModeName, value: &Value, strictness: Strictness<'_>) -> Checked {
    let unknown = |scope: &Cursor<'_>, name: &str, set: &Value| {
        if name == SCHEMA && matches!(scope, Cursor::Root) {
            return (!set.is_string()).then(|| wrong_type(set, &["string"], [SCHEMA]));
        }
        let unknown = unknown_field(mode, value, scope, name);
        // Null sets nothing, so it does no harm in a field of the other mode.
        (!set.is_null() || unknown.rule() != WRONG_MODE_FIELD.id).then_some(unknown)
    };
    // The constant of the mode differs where CUSTOM uses the schema of LITE.
    let walk = Walk { strictness, skipped: Some(MODE), unknown: &unknown };
    let mut found = walk.check(value, &fields::of(mode).root);
    let walked = found.len();
    let input = Input::new(mode, value);
    for rule in RULES.iter().filter(|rule| rule.modes.contains(&mode)) {
        for one in rule.diagnostics(&input) {
            // Where the shape is broken, a rule would report a consequence of that.
            let is_consequence = |cause: &Diagnostic| !cause.at().is_root() && cause.at().contains(one.at());
            if !found[..walked].iter().any(is_consequence) {
                found.push(one);
            }
        }
    }
    Checked { diagnostics: Diagnostics::new(found), token_expires: input.token_expires() }
}

/// Determines the mode of a configuration that already has the diagnostics `found`.
///
/// # Errors
/// If the mode is invalid or `found` is not empty. If a mode is likely, the rest is checked for it as well.
pub(super) fn mode_of(value: &Value, mut found: Vec<Diagnostic>) -> Result<ModeName, Diagnostics> {
    let Some(object) = value.as_object() else {
        let message = "a configuration must be a JSON object, `{…}`";
        found.push(Diagnostic::new(&NOT_AN_OBJECT, Path::default(), message));
        return Err(Diagnostics::new(found));
    };
    let (mode, wrong) = named_mode(object);
    found.extend(wrong);
    if let Some(mode) = mode {
        if found.is_empty() {
            return Ok(mode);
        }
        let reported = found.iter().any(|one| one.path() == MODE);
        let rest = check(mode, value, Strictness::Everything).diagnostics.into_iter();
        found.extend(rest.filter(|one| !(reported && one.path() == MODE)));
    }
    Err(Diagnostics::new(found))
}

/// The mode to check for, and the diagnostic of an invalid or missing `mode`.
fn named_mode(object: &Map<String, Value>) -> (Option<ModeName>, Option<Diagnostic>) {
    let has_agent = object.get("voice_agent").is_some_and(|agent| !agent.is_null());
    let wrong = match object.get(MODE) {
        Some(Value::String(name)) => {
            if let Some(mode) = ModeName::from_name(name) {
                return (Some(mode), None);
            }
            let all = ModeName::ALL.map(ModeName::as_str);
            let wrong = not_allowed(&MODE_UNKNOWN, name, &all, Some(MODE_HINT), [MODE]);
            let meant = nearest(name, &all).first().and_then(|name| ModeName::from_name(name));
            return (meant.or_else(|| likely_mode(object)), Some(wrong));
        }
        Some(Value::Null) => {
            let hint = if has_agent { "remove the field" } else { MODE_HINT };
            Diagnostic::new(NULL_NOT_ALLOWED, [MODE], "cannot be null").with_hint(hint.to_owned())
        }
        Some(other) => wrong_type(other, &["string"], [MODE]).with_hint(MODE_HINT.to_owned()),
        None if has_agent => return (Some(ModeName::Full), None),
        None => MODE_MISSING.diagnostic(MODE_MISSING.message),
    };
    (likely_mode(object), Some(wrong))
}

/// The diagnostic of a draft whose `mode` is not the one of its builder, by either of its names.
pub(super) fn draft_mode(mode: ModeName, wire_name: &str, draft: &Value) -> Option<Diagnostic> {
    let object = draft.as_object()?;
    let given = object.get(MODE).filter(|given| !given.is_null())?;
    if *given == mode.as_str() || *given == wire_name {
        return None;
    }
    let (named, wrong) = named_mode(object);
    wrong.or_else(|| named.map(|other| wrong_mode(mode, other)))
}

/// The diagnostic of a configuration for another mode.
pub(super) fn wrong_mode(expected: ModeName, mode: ModeName) -> Diagnostic {
    let message = format!("must be {expected}, but the configuration is for {mode}");
    let hint = "read it as `AnyConfiguration`, or change its `mode`".to_owned();
    Diagnostic::new(&MODE_UNKNOWN, [MODE], message).with_hint(hint)
}

/// The mode whose fields are set, so that a configuration without a mode is also checked.
///
/// LITE if the fields fit both modes, because it requires nothing that FULL does not. None if there are fields of both.
fn likely_mode(object: &Map<String, Value>) -> Option<ModeName> {
    let has = |mode, name| fields::of(mode).field(name).is_some();
    let is_only_in = |mode: ModeName| {
        object.iter().any(|(name, value)| !value.is_null() && has(mode, name) && !has(mode.other(), name))
    };
    match (is_only_in(ModeName::Full), is_only_in(ModeName::Lite)) {
        (true, false) => Some(ModeName::Full),
        (false, _) => Some(ModeName::Lite),
        (true, true) => None,
    }
}
