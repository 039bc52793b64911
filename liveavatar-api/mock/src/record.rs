//! One stored record: its fields come from requests and follow the schemas of the responses that contain it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::example::example_value;
use crate::resource_operation::{self, ResourceOperation, ResponseShape};
use crate::schema::{allows_null, default_of, enum_values, is_required, non_null};

/// Numbered ids start here, with the version and variant bits of a random UUID.
const ID_BASE: u128 = 0xca7a_1060_0000_4000_8000_0000_0000_0000;
/// Time until a record such as an avatar in training is ready; our choice, the documentation only says "later".
const TRAINING: Duration = Duration::from_secs(60);
/// Fields that are null in a new record: nothing has failed yet, and image avatars lack a voice (agent guides).
const INITIALLY_NULL: [&str; 2] = ["error_message", "default_voice"];
/// The field that lists the placeholders in the record's texts.
const PLACEHOLDERS: &str = "required_dynamic_variables";

#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) id: String,
    /// Whether it belongs to the account; otherwise it is public.
    pub(crate) is_own: bool,
    created: Instant,
    /// The fields of all responses; a value that no response contains, such as that of a secret, is not kept.
    ///
    /// Public records share them, so that 100,000 fit into little memory.
    fields: Arc<Map<String, Value>>,
    /// Replaces the name in the fields.
    name: Option<Value>,
}

impl Record {
    pub(crate) fn new(id: String, created: Instant) -> Record {
        Record { id, is_own: true, created, fields: Arc::default(), name: None }
    }

    /// Returns a public record with the same fields, but another id and, if it has a name, this one.
    pub(crate) fn public(&self, id: String, name: String) -> Record {
        let name = self.fields.contains_key("name").then(|| name.into());
        Record { id, is_own: false, created: self.created, fields: Arc::clone(&self.fields), name }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.name.as_ref().filter(|_| name == "name").or_else(|| self.fields.get(name))
    }

    pub(crate) fn field_names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    fn fields_mut(&mut self) -> &mut Map<String, Value> {
        Arc::make_mut(&mut self.fields)
    }

    pub(crate) fn is(&self, id: &str) -> bool {
        self.id.eq_ignore_ascii_case(id)
    }

    /// Sets missing fields to the document's examples.
    pub(crate) fn fill_with_examples(&mut self, collection: &str) {
        for (name, schema) in properties(collection) {
            self.fields_mut().entry(name).or_insert_with(|| example_value(name, schema));
        }
        self.list_placeholders();
    }

    fn list_placeholders(&mut self) {
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
            self.fields_mut().insert(PLACEHOLDERS.to_owned(), names);
        }
    }
}

/// Writes the fields of a record from one request.
pub(crate) struct RecordWriter {
    /// The properties that the request may set.
    pub(crate) settable: Option<&'static Map<String, Value>>,
    /// The time of the request.
    pub(crate) now: String,
    /// The next id of a nested object.
    pub(crate) next_id: Cell<u128>,
}

/// The object that contains a value; determines the meaning of a missing value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parent {
    Record,
    /// An object in the request.
    Request,
    /// An object that the service generates.
    Generated,
}

impl RecordWriter {
    pub(crate) fn create(&self, record: &mut Record, resource: &ResourceOperation, body: &Value) {
        for (name, schema) in properties(resource.collection) {
            if !record.fields.contains_key(name) {
                let value = self.value(name, schema, body.get(name), Parent::Record, body);
                record.fields_mut().insert(name.to_owned(), value);
            }
            // A literal in the path, such as `image`, is the type.
            let kind = resource.rest.map(|rest| Value::from(rest.to_uppercase()));
            if let Some(kind) = kind.filter(|kind| name == "type" && enum_values(schema).contains(kind)) {
                record.fields_mut().insert(name.to_owned(), kind);
            }
        }
        record.list_placeholders();
    }

    /// Sets the fields in the request and the time of the update.
    pub(crate) fn update(&self, record: &mut Record, collection: &str, body: &Value) {
        for (name, given) in body.as_object().into_iter().flatten() {
            // `default_voice_id` sets the `id` of `default_voice`.
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
                    .fields_mut()
                    .insert(name.to_owned(), self.value(name, schema, Some(&given), Parent::Record, body));
            }
        }
        for (name, schema) in properties(collection) {
            if is_time(schema) && !name.starts_with("created") {
                record.fields_mut().insert(name.to_owned(), self.now.as_str().into());
            }
        }
        record.list_placeholders();
    }

    fn value(
        &self,
        name: &str,
        schema: &'static Value,
        given: Option<&Value>,
        parent: Parent,
        body: &Value,
    ) -> Value {
        let inner = non_null(schema);
        let parts = inner.get("properties").and_then(Value::as_object);
        let items = inner.get("items");
        let object = |given: Option<&Value>, parts: &'static Map<String, Value>, parent| {
            let part = |(name, schema): (&String, &'static Value)| {
                let given = given.and_then(|given| given.get(name));
                (name.clone(), self.value(name, schema, given, parent, body))
            };
            parts.iter().map(part).collect::<Map<_, _>>().into()
        };
        match (given, parts, items) {
            (Some(Value::Null), ..) if allows_null(schema) => return Value::Null,
            (Some(given @ Value::Object(_)), Some(parts), _) => {
                return object(Some(given), parts, Parent::Request);
            }
            (Some(Value::Array(list)), _, Some(items)) => {
                let item = |given| self.value(name, items, Some(given), Parent::Request, body);
                return list.iter().map(item).collect();
            }
            (Some(given), ..) if !given.is_null() => return given.clone(),
            _ => {}
        }
        let is_omitted = match parent {
            Parent::Record => self.settable.is_some_and(|settable| settable.contains_key(name)),
            Parent::Request => true,
            Parent::Generated => false,
        };
        if is_time(schema) {
            return self.now.as_str().into();
        }
        if name == "id" && parent != Parent::Record {
            let id = self.next_id.get();
            self.next_id.set(id + 1);
            return numbered_id(id).into();
        }
        if let Some(default) = default_of(schema).filter(|default| !default.is_null()) {
            return default.clone();
        }
        if allows_null(schema) && (is_omitted || INITIALLY_NULL.contains(&name)) {
            return Value::Null;
        }
        // A generated object refers to the ids in the request.
        if let Some(id) = body.get(name).filter(|id| name.ends_with("_id") && id.is_string()) {
            return id.clone();
        }
        match (parts, items) {
            (Some(parts), _) => object(None, parts, Parent::Generated),
            (None, Some(items)) => vec![self.value(name, items, None, Parent::Generated, body)].into(),
            (None, None) => example_value(name, schema),
        }
    }
}

/// Returns the record as a response with this data schema contains it.
pub(crate) fn show(
    record: &Record,
    data: Option<&'static Value>,
    resource: &ResourceOperation,
    now: Instant,
) -> Value {
    let Some(ResponseShape::Single(schema)) = data.map(resource_operation::response_shape) else {
        return Value::Null;
    };
    let identifier = identifier(schema, resource.collection);
    let mut shown = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let value = if Some(name.as_str()) == identifier {
            record.id.as_str().into()
        } else {
            let stored = record.field(name).cloned();
            let stored = stored.unwrap_or_else(|| example_value(name, property));
            let is_ready = now.saturating_duration_since(record.created) >= TRAINING;
            let ready = enum_values(property).first().filter(|_| is_ready && name == "status");
            ready.filter(|_| property.get("default") == Some(&stored)).cloned().unwrap_or(stored)
        };
        shown.insert(name.clone(), value);
    }
    shown.into()
}

/// Returns the property with the record's id: `id`, the name of the path parameter, or else a required property `…_id`.
fn identifier(schema: &'static Value, collection: &str) -> Option<&'static str> {
    let properties = schema["properties"].as_object()?;
    let named = resource_operation::item_parameter(collection);
    let is_identifier = |name: &&String| match named {
        _ if properties.contains_key("id") => *name == "id",
        Some(parameter) => *name == parameter,
        None => name.ends_with("_id") && is_required(schema, name),
    };
    properties.keys().find(is_identifier).map(String::as_str)
}

/// Returns the properties of a record in all responses.
fn properties(collection: &str) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let all = resource_operation::record_schemas(collection)
        .filter_map(|shape| shape.get("properties")?.as_object());
    all.flatten().map(|(name, schema)| (name.as_str(), schema))
}

fn is_time(schema: &'static Value) -> bool {
    non_null(schema)["format"] == "date-time"
}

pub(crate) fn numbered_id(number: u128) -> String {
    Uuid::from_u128(ID_BASE + number).to_string()
}
