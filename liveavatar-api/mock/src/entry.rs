//! One stored entry: what it holds, filled from a request by the schemas of the answers that show it.

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::catalogue::made_id;
use super::example::example_value;
use super::resource::{self, Form, Step, allows_null, filled};
use super::schema::resolve;

/// How long something that begins in another state takes to get into its first one, such as an avatar in training; our
/// choice, the documentation only says "later".
const TRAINING: Duration = Duration::from_secs(60);
/// Of what the service makes itself, the parts that a new entry does not have: nothing has failed yet, and image avatars have
/// no voice of their own (agent guides).
const EMPTY_AT_FIRST: [&str; 2] = ["error_message", "default_voice"];
/// Names the placeholders in the entry's texts.
const PLACEHOLDERS: &str = "required_dynamic_variables";

#[derive(Clone)]
pub(super) struct Record {
    pub(super) id: String,
    /// Whether it is the account's, and not public.
    pub(super) is_own: bool,
    made: Instant,
    /// Everything that some answer shows; what no answer shows, such as the value of a secret, is not kept.
    pub(super) fields: Map<String, Value>,
}

impl Record {
    pub(super) fn new(id: String, made: Instant) -> Record {
        Record { id, is_own: true, made, fields: Map::new() }
    }

    pub(super) fn is(&self, id: &str) -> bool {
        self.id.eq_ignore_ascii_case(id)
    }

    /// Takes over what the document's examples show.
    pub(super) fn seed(&mut self, collection: &str) {
        for (name, schema) in properties(collection) {
            self.fields.entry(name).or_insert_with(|| example_value(name, schema));
        }
        self.name_placeholders();
    }

    pub(super) fn rename(&mut self, name: &str) {
        if let Some(slot) = self.fields.get_mut("name") {
            *slot = name.into();
        }
    }

    fn name_placeholders(&mut self) {
        if self.fields.contains_key(PLACEHOLDERS) {
            let mut names: Vec<&str> = Vec::new();
            for text in self.fields.values().filter_map(Value::as_str) {
                let found = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
                for name in found {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
            let names = json!(names);
            self.fields.insert(PLACEHOLDERS.to_owned(), names);
        }
    }
}

/// Fills entries from one request.
pub(super) struct Filling {
    /// The properties that the request may set.
    pub(super) asked: Option<&'static Map<String, Value>>,
    /// The time of the request.
    pub(super) now: String,
    /// The next id of a part.
    pub(super) ids: Cell<u128>,
}

/// Where a value belongs, which says what its absence means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A property of the entry.
    Top,
    /// Inside of something that the request brought.
    Brought,
    /// Inside of something that the service makes.
    Made,
}

impl Filling {
    pub(super) fn fill(&self, record: &mut Record, step: &Step, body: &Value) {
        for (name, schema) in properties(step.collection) {
            if !record.fields.contains_key(name) {
                let value = self.value(name, schema, body.get(name), Place::Top, body);
                record.fields.insert(name.to_owned(), value);
            }
            // The path says which type was asked for, where it names one.
            let kind = step.rest.map(|rest| Value::from(rest.to_uppercase()));
            if let Some(kind) = kind.filter(|kind| name == "type" && options(schema).contains(kind)) {
                record.fields.insert(name.to_owned(), kind);
            }
        }
        record.name_placeholders();
    }

    /// Takes over what a request changes, and nothing else.
    pub(super) fn change(&self, record: &mut Record, collection: &str, body: &Value) {
        for (name, given) in body.as_object().into_iter().flatten() {
            // `default_voice_id` sets the `id` in `default_voice`.
            let (name, given) = match name.strip_suffix("_id") {
                Some(stem) if record.fields.contains_key(stem) && !record.fields.contains_key(name) => {
                    (stem, if given.is_null() { Value::Null } else { json!({ "id": given }) })
                }
                _ => (name.as_str(), given.clone()),
            };
            let Some((_, schema)) = properties(collection).find(|(known, _)| *known == name) else {
                continue;
            };
            if !given.is_null() || allows_null(schema) {
                record
                    .fields
                    .insert(name.to_owned(), self.value(name, schema, Some(&given), Place::Top, body));
            }
        }
        for (name, schema) in properties(collection) {
            if is_time(schema) && !name.starts_with("created") {
                record.fields.insert(name.to_owned(), self.now.as_str().into());
            }
        }
        record.name_placeholders();
    }

    fn value(
        &self,
        name: &str,
        schema: &'static Value,
        given: Option<&Value>,
        place: Place,
        body: &Value,
    ) -> Value {
        let inner = filled(schema);
        let parts = inner.get("properties").and_then(Value::as_object);
        let items = inner.get("items");
        let object = |given: Option<&Value>, parts: &'static Map<String, Value>, place| {
            let part = |(name, schema): (&String, &'static Value)| {
                let given = given.and_then(|given| given.get(name));
                (name.clone(), self.value(name, schema, given, place, body))
            };
            parts.iter().map(part).collect::<Map<_, _>>().into()
        };
        match (given, parts, items) {
            (Some(Value::Null), ..) if allows_null(schema) => return Value::Null,
            (Some(given @ Value::Object(_)), Some(parts), _) => {
                return object(Some(given), parts, Place::Brought);
            }
            (Some(Value::Array(list)), _, Some(items)) => {
                let item = |given| self.value(name, items, Some(given), Place::Brought, body);
                return list.iter().map(item).collect();
            }
            (Some(given), ..) if !given.is_null() => return given.clone(),
            _ => {}
        }
        let left_out = match place {
            Place::Top => self.asked.is_some_and(|asked| asked.contains_key(name)),
            Place::Brought => true,
            Place::Made => false,
        };
        let default = schema.get("default").or_else(|| resolve(schema).get("default"));
        if is_time(schema) {
            return self.now.as_str().into();
        }
        if name == "id" && place != Place::Top {
            let id = self.ids.get();
            self.ids.set(id + 1);
            return made_id(id).into();
        }
        if let Some(default) = default.filter(|default| !default.is_null()) {
            return default.clone();
        }
        if allows_null(schema) && (left_out || EMPTY_AT_FIRST.contains(&name)) {
            return Value::Null;
        }
        // What the service makes refers to what the request named.
        if let Some(named) = body.get(name).filter(|named| name.ends_with("_id") && named.is_string()) {
            return named.clone();
        }
        match (parts, items) {
            (Some(parts), _) => object(None, parts, Place::Made),
            (None, Some(items)) => vec![self.value(name, items, None, Place::Made, body)].into(),
            (None, None) => example_value(name, schema),
        }
    }
}

/// The entry as an answer of that schema shows it.
pub(super) fn show(record: &Record, data: Option<&'static Value>, step: &Step, now: Instant) -> Value {
    let Some(Form::Entry(schema)) = data.map(resource::form) else {
        return Value::Null;
    };
    let identifier = identifier(schema, step.collection);
    let mut shown = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let value = if Some(name.as_str()) == identifier {
            record.id.as_str().into()
        } else {
            let held = record.fields.get(name).cloned();
            let held = held.unwrap_or_else(|| example_value(name, property));
            let is_ready = now.saturating_duration_since(record.made) >= TRAINING;
            let ready = options(property).first().filter(|_| is_ready && name == "status");
            ready.filter(|_| property.get("default") == Some(&held)).cloned().unwrap_or(held)
        };
        shown.insert(name.clone(), value);
    }
    shown.into()
}

/// The property that holds the entry's id: `id`, or the name of the path's parameter; where no path has one, a required id.
fn identifier(schema: &'static Value, collection: &str) -> Option<&'static str> {
    let properties = schema["properties"].as_object()?;
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    let named = resource::item_parameter(collection);
    let is_fit = |name: &&String| match named {
        _ if properties.contains_key("id") => *name == "id",
        Some(parameter) => *name == parameter,
        None => name.ends_with("_id") && required.iter().any(|it| it.as_str() == Some(name)),
    };
    properties.keys().find(is_fit).map(String::as_str)
}

/// Every property that some answer shows of an entry.
fn properties(collection: &str) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let all = resource::shapes(collection).filter_map(|shape| shape.get("properties")?.as_object());
    all.flatten().map(|(name, schema)| (name.as_str(), schema))
}

fn is_time(schema: &'static Value) -> bool {
    filled(schema)["format"] == "date-time"
}

fn options(schema: &'static Value) -> &'static [Value] {
    filled(schema)["enum"].as_array().map_or(&[], Vec::as_slice)
}
