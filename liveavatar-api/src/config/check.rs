//! The check: one walk over the value and the field table, then the rules across fields.

use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::fields::{self, Shape, Variant};
use super::mode::ModeName;
use super::path::{Cursor, Path};
use super::rules::{
    Input, MISSING_FIELD, MODE_HINT, MODE_MISSING, MODE_UNKNOWN, NOT_A_UUID, NOT_ALLOWED_VALUE,
    NOT_AN_OBJECT, NULL_NOT_ALLOWED, OUT_OF_RANGE, RULES, WRONG_MODE_FIELD, WRONG_TYPE,
};
use super::suggest::{enumeration, nearest, not_allowed, one_of, unknown_field};
use crate::wire::exact_integer;

const MODE: &str = "mode";
const AVATAR_ID: &str = "avatar_id";
const AVATAR_ID_LISTS: &str = "GET /v1/avatars/public and GET /v1/avatars list the ids";
const AVATAR_NAME_HINT: &str = "avatar names of the older HeyGen product are not ids; \
    GET /v1/avatars/public and GET /v1/avatars list the ids";

pub(crate) struct Checked {
    pub(super) diagnostics: Diagnostics,
    /// When the token of the caller's LiveKit room expires, in seconds since 1970.
    pub(super) token_expires: Option<f64>,
}

/// Checks fields, values and the rules of the mode.
///
/// The caller vouches for `mode`; the check does not compare it with the `mode` field of the value.
pub(crate) fn check(mode: ModeName, value: &Value) -> Checked {
    let mut walk = Walk { mode, root: value, found: Vec::new() };
    walk.visit(value, &fields::of(mode).root, &Cursor::Root);
    let mut found = walk.found;
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
        let rest = check(mode, value).diagnostics.into_iter();
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
            Diagnostic::new(&NULL_NOT_ALLOWED, [MODE], "cannot be null").with_hint(hint.to_owned())
        }
        Some(other) => wrong_type(other, &["string"], [MODE]).with_hint(MODE_HINT.to_owned()),
        None if has_agent => return (Some(ModeName::Full), None),
        None => MODE_MISSING.diagnostic(MODE_MISSING.message),
    };
    (likely_mode(object), Some(wrong))
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

struct Walk<'a> {
    mode: ModeName,
    root: &'a Value,
    found: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn visit(&mut self, value: &Value, shape: &Shape, at: &Cursor<'_>) {
        if value.is_null() {
            if !shape.nullable {
                let wrong = Diagnostic::new(&NULL_NOT_ALLOWED, at, "cannot be null");
                self.found.push(wrong.with_hint("remove the field".to_owned()));
            }
            return;
        }
        match (shape.variants.as_slice(), shape.tag) {
            ([only], _) => self.visit_variant(value, only, shape.description, at),
            (variants, Some(tag)) => self.visit_tagged(value, variants, tag, at),
            (_, None) => self.visit_untagged(value, shape, at),
        }
    }

    fn visit_tagged(&mut self, value: &Value, variants: &[Variant], tag: &str, at: &Cursor<'_>) {
        let Some(object) = value.as_object() else {
            self.found.push(wrong_type(value, &["object"], at));
            return;
        };
        let here = at.key(tag);
        let tags: Vec<&str> = variants.iter().filter_map(|variant| variant.tag_value).collect();
        let named = |name: &str| variants.iter().find(|variant| variant.tag_value == Some(name));
        let (wrong, meant) = match object.get(tag) {
            None => {
                let message = format!("is required and must be {}", one_of(&tags));
                (Diagnostic::new(&MISSING_FIELD, &here, message), None)
            }
            Some(Value::String(name)) => {
                if let Some(variant) = named(name) {
                    return self.visit_variant(value, variant, None, at);
                }
                let wrong = not_allowed(&NOT_ALLOWED_VALUE, name, &tags, None, &here);
                (wrong, nearest(name, &tags).first().and_then(|name| named(name)))
            }
            Some(other) => (wrong_type(other, &["string"], &here), None),
        };
        let mut rest = self.wrong_in_every(value, meant.map_or(variants, std::slice::from_ref), at);
        rest.retain(|one| one.at() != wrong.at());
        self.found.push(wrong);
        self.found.extend(rest);
    }

    /// The errors that all variants share. Without a tag, no other error is certain.
    fn wrong_in_every(&mut self, value: &Value, variants: &[Variant], at: &Cursor<'_>) -> Vec<Diagnostic> {
        let mut lists =
            variants.iter().map(|variant| self.apart(|walk| walk.visit_variant(value, variant, None, at)));
        let mut common = lists.next().unwrap_or_default();
        for other in lists {
            let same = |a: &Diagnostic, b: &Diagnostic| a.at() == b.at() && a.rule() == b.rule();
            common.retain(|one| other.iter().any(|other| same(one, other)));
        }
        common
    }

    fn visit_untagged(&mut self, value: &Value, shape: &Shape, at: &Cursor<'_>) {
        let fitting = shape.variants.iter().filter(|variant| is_kind(value, variant.kind));
        let lists = fitting
            .map(|variant| self.apart(|walk| walk.visit_variant(value, variant, shape.description, at)));
        if let Some(fewest) = lists.min_by_key(Vec::len) {
            self.found.extend(fewest);
        } else if !shape.variants.is_empty() {
            let kinds: Vec<&str> = shape.variants.iter().map(|variant| variant.kind).collect();
            self.found.push(wrong_type(value, &kinds, at));
        }
    }

    /// Collects the findings of one variant without reporting them.
    fn apart(&mut self, visit: impl FnOnce(&mut Self)) -> Vec<Diagnostic> {
        let before = std::mem::take(&mut self.found);
        visit(self);
        std::mem::replace(&mut self.found, before)
    }

    fn visit_variant(
        &mut self,
        value: &Value,
        variant: &Variant,
        description: Option<&str>,
        at: &Cursor<'_>,
    ) {
        if !is_kind(value, variant.kind) {
            self.found.push(wrong_type(value, &[variant.kind], at));
            return;
        }
        match value {
            Value::Object(map) => self.visit_object(map, variant, at),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    variant.items.iter().for_each(|shape| self.visit(item, shape, &Cursor::Index(at, index)));
                }
            }
            Value::String(text) => self.found.extend(wrong_text(text, variant, description, at)),
            Value::Number(number) => {
                if let Some(range) = number.as_f64().and_then(|number| variant.range_without(number)) {
                    let message = format!("is {number}, must be {range}");
                    self.found.push(Diagnostic::new(&OUT_OF_RANGE, at, message));
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn visit_object(&mut self, map: &Map<String, Value>, object: &Variant, at: &Cursor<'_>) {
        for (name, value) in map {
            // The mode was read before, and its constant differs where CUSTOM uses the schema of LITE.
            if matches!(at, Cursor::Root) && name == MODE {
                continue;
            }
            let here = at.key(name);
            match object.field(name) {
                Some((shape, true)) if value.is_null() => {
                    let wrong = Diagnostic::new(&NULL_NOT_ALLOWED, &here, "is required and cannot be null");
                    self.found.push(wrong.with_hint(missing_hint(shape, name)));
                }
                Some((shape, _)) => self.visit(value, shape, &here),
                None if object.is_open() => {}
                None => {
                    let unknown = unknown_field(self.mode, self.root, at, name);
                    // Null sets nothing, so it does no harm in a field of the other mode.
                    if !(value.is_null() && unknown.rule() == WRONG_MODE_FIELD.id) {
                        self.found.push(unknown);
                    }
                }
            }
        }
        for field in object.fields.iter().filter(|field| field.is_required && !map.contains_key(field.name)) {
            let missing = Diagnostic::new(&MISSING_FIELD, &at.key(field.name), "is required");
            self.found.push(missing.with_hint(missing_hint(&field.shape, field.name)));
        }
    }
}

fn wrong_text(text: &str, variant: &Variant, of_field: Option<&str>, at: &Cursor<'_>) -> Option<Diagnostic> {
    if !variant.allowed.is_empty() {
        let description = variant.description.or(of_field);
        return (!variant.allowed.contains(&text))
            .then(|| not_allowed(&NOT_ALLOWED_VALUE, text, &variant.allowed, description, at));
    }
    if variant.is_uuid && Uuid::try_parse(text).is_err() {
        let hint = if at.keys().last() == Some(&AVATAR_ID) { Some(AVATAR_NAME_HINT) } else { of_field };
        let wrong = Diagnostic::new(&NOT_A_UUID, at, "is not a UUID");
        return Some(wrong.with_hint(hint.map(str::to_owned)));
    }
    if variant.bounds.is_empty() {
        return None;
    }
    let characters = text.chars().count();
    #[expect(clippy::cast_precision_loss, reason = "lengths of texts in memory are below 2^53")]
    let range = variant.range_without(characters as f64)?;
    let s = if characters == 1 { "" } else { "s" };
    let message = format!("has {characters} character{s}, must have {range}");
    Some(Diagnostic::new(&OUT_OF_RANGE, at, message))
}

/// The diagnostic of a value of another type; it never shows the value.
fn wrong_type(value: &Value, expected: &[&str], at: impl Into<Path>) -> Diagnostic {
    let is_numeric = expected.iter().any(|kind| matches!(*kind, "integer" | "number"));
    let is_quoted = |text: &str| {
        is_numeric && text.parse::<f64>().is_ok()
            || expected.contains(&"boolean") && matches!(text, "true" | "false")
    };
    let hint = match value {
        Value::String(text) if is_quoted(text) => Some("remove the quotes"),
        Value::Number(number)
            if is_numeric && number.as_f64().is_some_and(|number| number.fract() == 0.0) =>
        {
            Some("the number is too large")
        }
        Value::Number(_) | Value::Bool(_) if expected.contains(&"string") => Some("put it in quotes"),
        _ => None,
    };
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) if is_numeric => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let message = format!("must be {}, not {got}", one_kind_of(expected));
    Diagnostic::new(&WRONG_TYPE, at, message).with_hint(hint.map(str::to_owned))
}

/// Types by their English names: a string, a number or a boolean.
fn one_kind_of(kinds: &[&str]) -> String {
    let name = |kind: &&str| match *kind {
        "boolean" => Some("a boolean"),
        "integer" if kinds.contains(&"number") => None,
        "integer" => Some("a whole number"),
        "number" => Some("a number"),
        "string" => Some("a string"),
        "array" => Some("a list"),
        _ => Some("an object"),
    };
    let mut names: Vec<&str> = kinds.iter().filter_map(name).collect();
    names.dedup();
    enumeration(&names, "or")
}

fn is_kind(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(number) => kind == "number" || kind == "integer" && as_integer(number).is_some(),
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
    }
}

/// A whole number, also one written as `60.0`; the request's types hold 64 bits.
pub(super) fn as_integer(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| exact_integer(number.as_f64().filter(|_| number.is_f64())?))
}

/// What a required field is for.
pub(super) fn missing_hint(shape: &Shape, name: &str) -> Option<String> {
    if name == AVATAR_ID { Some(AVATAR_ID_LISTS.to_owned()) } else { shape.description.map(str::to_owned) }
}

/// What a field takes: `must be a UUID`.
pub(super) fn expectation(shape: &Shape) -> String {
    let kinds: Vec<&str> = shape.variants.iter().map(|variant| variant.kind).collect();
    let expected = match shape.variants.as_slice() {
        [only] if only.is_uuid => "a UUID".to_owned(),
        [only] if !only.allowed.is_empty() => one_of(&only.allowed),
        _ => one_kind_of(&kinds),
    };
    format!("must be {expected}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Cursor, ModeName, Number, Shape, Walk, as_integer, wrong_type};

    /// Paths, rules and messages of the diagnostics.
    fn found(schema: Value, value: &Value) -> Vec<String> {
        // The table of fields lives as long as the program; so do the few of these tests.
        let schema: &'static Value = Box::leak(Box::new(schema));
        let mut walk = Walk { mode: ModeName::Full, root: value, found: Vec::new() };
        walk.visit(value, &Shape::new(schema, 0), &Cursor::Root);
        walk.found.iter().map(|one| format!("{} {}: {}", one.path(), one.rule(), one.message())).collect()
    }

    #[test]
    fn each_item_of_a_list_is_checked() {
        let schema = json!({"type": "array", "items": {"type": "integer"}});
        let expected = [
            "[1] wrong-type: must be a whole number, not a string",
            "[2] wrong-type: must be a whole number, not a boolean",
        ];
        assert_eq!(found(schema, &json!([1, "2", true])), expected);
    }

    #[test]
    fn the_variant_of_the_same_type_decides() {
        let schema = json!({"anyOf": [{"type": "string", "maxLength": 1}, {"type": "boolean"}]});
        assert_eq!(found(schema.clone(), &json!(true)), [""; 0]);
        let expected = " out-of-range: has 2 characters, must have at most 1";
        assert_eq!(found(schema.clone(), &json!("ab")), [expected]);
        assert_eq!(found(schema.clone(), &json!(null)), [" null-not-allowed: cannot be null"]);
        let expected = " wrong-type: must be a string or a boolean, not an object";
        assert_eq!(found(schema, &json!({})), [expected]);
    }

    #[test]
    fn an_object_without_listed_fields_takes_any_field() {
        assert_eq!(found(json!({"type": "object"}), &json!({"a": 1})), [""; 0]);
    }

    #[test]
    fn lengths_count_characters_and_include_their_bounds() {
        let schema = json!({"type": "string", "minLength": 2, "maxLength": 3});
        assert_eq!(found(schema.clone(), &json!("äöü")), [""; 0]);
        assert_eq!(found(schema.clone(), &json!("äö")), [""; 0]);
        let expected = " out-of-range: has 1 character, must have at least 2 and at most 3";
        assert_eq!(found(schema.clone(), &json!("ä")), [expected]);
        assert_eq!(found(schema, &json!("äöüß")).len(), 1);
    }

    #[test]
    fn exclusive_bounds_exclude_themselves() {
        let schema = json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1});
        assert_eq!(found(schema.clone(), &json!(0.5)), [""; 0]);
        let expected = " out-of-range: is 0, must be more than 0 and less than 1";
        assert_eq!(found(schema.clone(), &json!(0)), [expected]);
        assert_eq!(found(schema, &json!(1)).len(), 1);
    }

    #[test]
    fn inclusive_bounds_include_themselves() {
        let schema = json!({"type": "number", "minimum": 0.8, "maximum": 1.2});
        assert_eq!(found(schema.clone(), &json!(0.8)), [""; 0]);
        assert_eq!(found(schema.clone(), &json!(1.2)), [""; 0]);
        assert_eq!(found(schema, &json!(1.21)).len(), 1);
    }

    #[test]
    fn a_whole_number_may_have_a_decimal_point() {
        let integer = |float| Number::from_f64(float).as_ref().and_then(as_integer);
        assert_eq!(integer(60.0), Some(60));
        assert_eq!(integer(60.5), None);
    }

    #[test]
    fn the_hint_for_a_quoted_number_is_to_remove_the_quotes() {
        let hint =
            |value: Value, expected| wrong_type(&value, &[expected], [""; 0]).hint().map(str::to_owned);
        assert_eq!(hint(json!("60"), "integer").as_deref(), Some("remove the quotes"));
        assert_eq!(hint(json!("true"), "boolean").as_deref(), Some("remove the quotes"));
        assert_eq!(hint(json!("true"), "integer"), None);
        assert_eq!(hint(json!(7), "string").as_deref(), Some("put it in quotes"));
    }
}
