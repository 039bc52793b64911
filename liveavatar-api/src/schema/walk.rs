//! The walk over a value along its shape.

use serde_json::{Map, Value};

use super::diagnostic::Diagnostic;
use super::path::{Cursor, Path};
use super::rule::{MISSING_FIELD, NOT_ALLOWED_VALUE, NULL_NOT_ALLOWED, OUT_OF_RANGE};
use super::shape::{Shape, Variant};
use super::value::{is_kind, missing_hint, not_allowed, wrong_count, wrong_text, wrong_type};
use super::words::{nearest, one_of};

/// What a walk has to know besides the shape.
pub(crate) struct Walk<'a> {
    pub(crate) strictness: Strictness<'a>,
    /// A field at the top level that the caller checks.
    pub(crate) skipped: Option<&'a str>,
    /// The diagnostic of a field that the object at the cursor does not have.
    pub(crate) unknown: &'a UnknownField<'a>,
}

/// Reports a field that the object at the cursor does not have, by its name and value.
pub(crate) type UnknownField<'a> = dyn Fn(&Cursor<'_>, &str, &Value) -> Option<Diagnostic> + 'a;

/// Where a value must be one of the listed values.
///
/// Elsewhere an unlisted value was typed on purpose, and is a warning.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Strictness<'a> {
    /// Everywhere: the whole value was read from text.
    Everything,
    /// In the values at these JSON pointers, which were given as text.
    Texts(&'a [String]),
}

impl Strictness<'_> {
    fn covers(self, at: &Cursor<'_>) -> bool {
        match self {
            Self::Everything => true,
            Self::Texts(pointers) => pointers.contains(&Path::from(at).pointer),
        }
    }
}

impl Walk<'_> {
    /// Returns the diagnostics of the value, in the order of the walk.
    pub(crate) fn check(&self, value: &Value, shape: &Shape) -> Vec<Diagnostic> {
        let mut visitor = Visitor { walk: self, found: Vec::new() };
        visitor.visit(value, shape, &Cursor::Root);
        visitor.found
    }
}

struct Visitor<'a> {
    walk: &'a Walk<'a>,
    found: Vec<Diagnostic>,
}

impl Visitor<'_> {
    fn visit(&mut self, value: &Value, shape: &Shape, at: &Cursor<'_>) {
        if value.is_null() {
            if !shape.nullable {
                let wrong = Diagnostic::new(NULL_NOT_ALLOWED, at, "cannot be null");
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
                (Diagnostic::new(MISSING_FIELD, &here, message), None)
            }
            Some(Value::String(name)) => {
                if let Some(variant) = named(name) {
                    return self.visit_variant(value, variant, None, at);
                }
                let wrong = not_allowed(NOT_ALLOWED_VALUE, name, &tags, None, &here);
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
        let mut lists = variants
            .iter()
            .map(|variant| self.apart(|visitor| visitor.visit_variant(value, variant, None, at)));
        let mut common = lists.next().unwrap_or_default();
        for other in lists {
            let same = |a: &Diagnostic, b: &Diagnostic| a.at() == b.at() && a.rule() == b.rule();
            common.retain(|one| other.iter().any(|other| same(one, other)));
        }
        common
    }

    fn visit_untagged(&mut self, value: &Value, shape: &Shape, at: &Cursor<'_>) {
        let fitting = shape.variants.iter().filter(|variant| is_kind(value, variant.kind));
        let lists = fitting.map(|variant| {
            self.apart(|visitor| visitor.visit_variant(value, variant, shape.description, at))
        });
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
            Value::Object(map) => {
                self.found.extend(wrong_count(map.len(), "field", variant, at));
                self.visit_object(map, variant, at);
            }
            Value::Array(items) => {
                self.found.extend(wrong_count(items.len(), "item", variant, at));
                for (index, item) in items.iter().enumerate() {
                    variant.items.iter().for_each(|shape| self.visit(item, shape, &Cursor::Index(at, index)));
                }
            }
            Value::String(text) => {
                let is_strict = || self.walk.strictness.covers(at);
                let wrong = wrong_text(text, variant, description, at, is_strict);
                self.found.extend(wrong);
            }
            Value::Number(number) => {
                if let Some(range) = number.as_f64().and_then(|number| variant.range_without(number)) {
                    let message = format!("is {number}, must be {range}");
                    self.found.push(Diagnostic::new(OUT_OF_RANGE, at, message));
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn visit_object(&mut self, map: &Map<String, Value>, object: &Variant, at: &Cursor<'_>) {
        for (name, value) in map {
            if matches!(at, Cursor::Root) && self.walk.skipped == Some(name) {
                continue;
            }
            let here = at.key(name);
            match object.field(name) {
                Some((shape, true)) if value.is_null() && !shape.nullable => {
                    let wrong = Diagnostic::new(NULL_NOT_ALLOWED, &here, "is required and cannot be null");
                    self.found.push(wrong.with_hint(missing_hint(shape, name)));
                }
                Some((shape, _)) => self.visit(value, shape, &here),
                None if object.is_open() => {}
                None => self.found.extend((self.walk.unknown)(at, name, value)),
            }
        }
        for field in object.fields.iter().filter(|field| field.is_required && !map.contains_key(field.name)) {
            let message = match field.shape.variants.as_slice() {
                _ if field.shape.nullable => "is required; null clears it".to_owned(),
                [only] if !only.allowed.is_empty() => {
                    format!("is required and must be {}", one_of(&only.allowed))
                }
                _ => "is required".to_owned(),
            };
            let missing = Diagnostic::new(MISSING_FIELD, &at.key(field.name), message);
            self.found.push(missing.with_hint(missing_hint(&field.shape, field.name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Shape, Strictness, Walk};

    /// Paths, rules and messages of the diagnostics.
    fn found(schema: Value, value: &Value) -> Vec<String> {
        found_with(Strictness::Everything, schema, value)
    }

    fn found_with(strictness: Strictness<'_>, schema: Value, value: &Value) -> Vec<String> {
        // The table of fields lives as long as the program; so do the few of these tests.
        let schema: &'static Value = Box::leak(Box::new(schema));
        let walk = Walk { strictness, skipped: None, unknown: &|_, _, _| None };
        let found = walk.check(value, &Shape::new(schema, schema));
        found.iter().map(|one| format!("{} {}: {}", one.path(), one.rule(), one.message())).collect()
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
    fn the_number_of_items_and_of_fields_is_within_its_bounds() {
        let list = json!({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2});
        assert_eq!(found(list.clone(), &json!([1, 2])), [""; 0]);
        let expected = " out-of-range: has 3 items, must have at least 1 and at most 2";
        assert_eq!(found(list.clone(), &json!([1, 2, 3])), [expected]);
        assert_eq!(found(list, &json!([])).len(), 1);
        let map = json!({"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 1});
        let expected = " out-of-range: has 2 fields, must have at most 1";
        assert_eq!(found(map, &json!({"a": 1, "b": 2})), [expected]);
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
    fn an_unlisted_value_is_an_error_only_if_it_was_given_as_text() {
        let of = |values: Value| json!({"type": "object", "properties": {"a/b": {"type": "array", "items": values}}});
        let schema = of(json!({"type": "string", "enum": ["low", "high"]}));
        let value = json!({"a/b": ["low", "hihg", "hgih"]});
        let texts = ["/a~1b/1".to_owned()];
        let expected = [
            "[\"a/b\"][1] not-allowed-value: must be `low` or `high`, not `hihg`",
            "[\"a/b\"][2] unlisted-value: is a value that this version does not know, and is sent as given",
        ];
        assert_eq!(found_with(Strictness::Texts(&texts), schema, &value), expected);
        let constant = of(json!({"type": "string", "const": "low"}));
        let wrong = found_with(Strictness::Texts(&[]), constant, &value);
        assert!(wrong.len() == 2 && wrong.iter().all(|one| one.contains("not-allowed-value")), "{wrong:?}");
    }

    #[test]
    fn a_required_field_may_be_null_only_if_it_is_nullable_and_is_never_missing() {
        let text = json!({"type": "string"});
        let schema = json!({
            "type": "object",
            "required": ["text", "nullable"],
            "properties": {"text": text, "nullable": {"anyOf": [text, {"type": "null"}]}},
        });
        assert_eq!(
            found(schema.clone(), &json!({})),
            ["nullable missing-field: is required; null clears it", "text missing-field: is required",]
        );
        let expected = ["text null-not-allowed: is required and cannot be null"];
        assert_eq!(found(schema, &json!({"text": null, "nullable": null})), expected);
    }
}
