//! The walk over a configuration and its schema, and the check of its fields.
//!
//! Single values are checked in `values`; rules that look at more than one field are in
//! `mode_rules`.

use super::hint::{Fields, list, nearest};
use super::path::Path;
use super::problem::{Diagnostic, ModeName};
use super::rules::{MISSING_FIELD, NOT_ALLOWED_VALUE, NULL_NOT_ALLOWED, WRONG_MODE_FIELD};
use super::schema::{Options, Schema};
use super::values::{check_number, check_text, is_type, missing_hint, not_allowed, wrong_type};
use serde_json::{Map, Value};

/// A problem together with its place, which the rules across fields need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: Path,
    pub(super) problem: Diagnostic,
}

pub(super) fn problems(mode: ModeName, value: &Value) -> Vec<Found> {
    let walk = Walk { fields: Fields::new(mode, value) };
    walk.visit(value, Schema::of(mode), &Path::default())
}

struct Walk<'a> {
    fields: Fields<'a>,
}

impl Walk<'_> {
    fn visit(&self, value: &Value, schema: Schema<'_>, path: &Path) -> Vec<Found> {
        let options = schema.options();
        if value.is_null() {
            let hint = "leave the field out".to_owned();
            let problem = Diagnostic::new(&NULL_NOT_ALLOWED, path, "null is not allowed here");
            return if options.nullable { vec![] } else { found(path, problem.with_hint(hint)) };
        }
        match (options.list.as_slice(), options.tag()) {
            ([option], _) => self.visit_option(value, *option, schema.description(), path),
            (_, Some(tag)) => self.visit_tagged(value, &options, tag, path),
            (_, None) => self.visit_untagged(value, &options, schema.description(), path),
        }
    }

    fn visit_tagged(&self, value: &Value, options: &Options<'_>, tag: &str, path: &Path) -> Vec<Found> {
        let Some(object) = value.as_object() else {
            return found(path, wrong_type(value, &["object"], path));
        };
        let tag_path = path.key(tag);
        let tags: Vec<&str> = options.list.iter().filter_map(|o| o.tag_value(tag)).collect();
        let named = |name: &str| {
            let is_it = |option: &&Schema<'_>| option.tag_value(tag) == Some(name);
            options.list.iter().find(is_it).copied()
        };
        let (problem, option) = match object.get(tag) {
            None => {
                let message = format!("is required, it tells apart {}", list(&tags, "and"));
                (Diagnostic::new(&MISSING_FIELD, &tag_path, message), None)
            }
            Some(Value::String(name)) => {
                if let Some(option) = named(name) {
                    return self.visit_option(value, option, None, path);
                }
                let problem = not_allowed(&NOT_ALLOWED_VALUE, name, &tags, None, &tag_path);
                let meant = nearest(name, &tags).first().and_then(|name| named(name));
                (problem, meant)
            }
            Some(other) => (wrong_type(other, &["string"], &tag_path), None),
        };

        // Without a tag only what is wrong in every variant is certainly wrong.
        let rest = match option {
            Some(option) => self.visit_option(value, option, None, path),
            None => self.wrong_in_every(value, &options.list, path),
        };
        let elsewhere = rest.into_iter().filter(|found| found.path != tag_path);
        found(&tag_path, problem).into_iter().chain(elsewhere).collect()
    }

    fn wrong_in_every(&self, value: &Value, options: &[Schema<'_>], path: &Path) -> Vec<Found> {
        let mut lists = options.iter().map(|o| self.visit_option(value, *o, None, path));
        let mut common = lists.next().unwrap_or_default();
        for other in lists {
            common.retain(|found| {
                let same = |o: &Found| o.path == found.path && o.problem.rule() == found.problem.rule();
                other.iter().any(same)
            });
        }
        common
    }

    fn visit_untagged(
        &self,
        value: &Value,
        options: &Options<'_>,
        description: Option<&str>,
        path: &Path,
    ) -> Vec<Found> {
        let fitting = options.list.iter().filter(|o| o.type_name().is_none_or(|t| is_type(value, t)));
        fitting
            .map(|option| self.visit_option(value, *option, description, path))
            .min_by_key(Vec::len)
            .unwrap_or_else(|| {
                let types: Vec<&str> = options.list.iter().filter_map(|o| o.type_name()).collect();
                found(path, wrong_type(value, &types, path))
            })
    }

    fn visit_option(
        &self,
        value: &Value,
        schema: Schema<'_>,
        description: Option<&str>,
        path: &Path,
    ) -> Vec<Found> {
        if let Some(name) = schema.type_name().filter(|name| !is_type(value, name)) {
            return found(path, wrong_type(value, &[name], path));
        }
        match value {
            Value::Object(object) => self.visit_object(object, schema, path),
            Value::Array(items) => {
                let each = |(index, item)| schema.items().map(|s| self.visit(item, s, &path.index(index)));
                items.iter().enumerate().filter_map(each).flatten().collect()
            }
            Value::String(text) => found(path, check_text(text, schema, description, path)),
            Value::Number(number) => found(path, check_number(number.as_f64(), number, schema, path)),
            Value::Bool(_) | Value::Null => vec![],
        }
    }

    fn visit_object(&self, object: &Map<String, Value>, schema: Schema<'_>, path: &Path) -> Vec<Found> {
        let mut all = Vec::new();
        for (name, value) in object {
            let here = path.key(name);
            // The constant of `mode` differs where CUSTOM borrows the schema of LITE; the name of
            // the mode was read before.
            if path.is_root() && name == "mode" {
                continue;
            }
            match schema.property(name).or_else(|| schema.additional()) {
                Some(_) if value.is_null() && schema.required().any(|r| r == name) => {
                    let message = "is required, null is no value for it";
                    let problem = Diagnostic::new(&NULL_NOT_ALLOWED, &here, message);
                    all.extend(found(&here, problem.with_hint(missing_hint(schema, name))));
                }
                Some(inner) => all.extend(self.visit(value, inner, &here)),
                // An object without listed fields takes any.
                None if schema.properties().is_none() => {}
                None => {
                    let problem = self.fields.unknown(path, name);
                    // A null sets nothing, so a field of the other mode does no harm with it.
                    let harmless = value.is_null() && problem.rule() == WRONG_MODE_FIELD.id;
                    all.extend(found(&here, (!harmless).then_some(problem)));
                }
            }
        }
        for name in schema.required().filter(|name| !object.contains_key(*name)) {
            let here = path.key(name);
            let problem = Diagnostic::new(&MISSING_FIELD, &here, "is required");
            all.extend(found(&here, problem.with_hint(missing_hint(schema, name))));
        }
        all
    }
}

fn found(path: &Path, problem: impl Into<Option<Diagnostic>>) -> Vec<Found> {
    let at = |problem| Found { path: path.clone(), problem };
    problem.into().map(at).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{Fields, ModeName, Path, Schema, Walk};
    use serde_json::{Value, json};

    fn paths(schema: &Value, value: &Value) -> Vec<String> {
        let walk = Walk { fields: Fields::new(ModeName::Full, value) };
        let found = walk.visit(value, Schema::root(schema), &Path::default());
        found.iter().map(|found| format!("{} {}", found.path, found.problem.rule())).collect()
    }

    #[test]
    fn items_of_a_list_are_checked_each() {
        let schema = json!({"type": "array", "items": {"type": "integer"}});
        assert_eq!(paths(&schema, &json!([1, "2", true])), ["[1] wrong-type", "[2] wrong-type"]);
    }

    #[test]
    fn an_option_that_fits_the_type_decides() {
        let schema = json!({"anyOf": [{"type": "string", "maxLength": 1}, {"type": "boolean"}]});
        assert_eq!(paths(&schema, &json!(true)), [""; 0]);
        assert_eq!(paths(&schema, &json!("ab")), [" out-of-range"]);
        assert_eq!(paths(&schema, &json!(null)), [" null-not-allowed"]);
        assert_eq!(paths(&schema, &json!({})), [" wrong-type"]);
    }

    #[test]
    fn an_object_without_listed_fields_takes_any() {
        assert_eq!(paths(&json!({"type": "object"}), &json!({"a": 1})), [""; 0]);
    }
}
