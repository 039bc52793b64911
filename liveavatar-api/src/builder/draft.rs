//! The JSON of what a builder was given.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::none::is_none;
use crate::error::Error;
use crate::schema;

/// A value that was given to a setter. It may be a secret.
pub struct Given {
    /// `None` leaves the field out.
    pub(super) value: Option<Value>,
    /// JSON pointers, from this value, of the values that were given as text. A text must be one of the listed values; a typed
    /// value need not be, because `OpenEnum::other` makes it on purpose.
    pub(super) texts: Vec<String>,
}

impl Given {
    pub(super) fn absent() -> Self {
        Self { value: None, texts: Vec::new() }
    }

    /// A value of the field's own type, or of one that converts into it.
    pub(crate) fn typed(value: &impl Serialize) -> Self {
        if is_none(value) { Self::absent() } else { Self::present(value) }
    }

    /// A value that is not left out, even if it is a null.
    pub(crate) fn present(value: &impl Serialize) -> Self {
        // The types of requests always serialize to JSON.
        Self { value: Some(serde_json::to_value(value).unwrap_or_default()), texts: Vec::new() }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { value: Some(Value::String(text.into())), texts: vec![String::new()] }
    }

    /// Writes null in place of leaving the field out.
    pub(crate) fn or_null(self) -> Self {
        Self { value: self.value.or(Some(Value::Null)), texts: self.texts }
    }

    /// A list or an object of given values.
    pub(super) fn all<K>(
        values: impl IntoIterator<Item = (K, Self)>,
        pointer: impl Fn(&K) -> String,
    ) -> (Vec<(K, Value)>, Vec<String>) {
        let mut texts = Vec::new();
        let values = values
            .into_iter()
            .map(|(key, given)| {
                texts.extend(given.texts.iter().map(|text| format!("{}{text}", pointer(&key))));
                (key, given.value.unwrap_or_default())
            })
            .collect();
        (values, texts)
    }
}

/// The fields that a builder has been given so far.
#[derive(Clone)]
pub struct Draft {
    /// Always an object.
    value: Value,
    texts: Vec<String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self { value: Value::Object(Map::new()), texts: Vec::new() }
    }
}

impl Draft {
    /// The draft of a complete value, whose type has a builder and therefore serializes to an object.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        let value = serde_json::to_value(value).ok().filter(Value::is_object);
        value.map_or_else(Self::default, |value| Self { value, texts: Vec::new() })
    }

    pub(crate) fn set(&mut self, name: &'static str, given: Given) {
        let pointer = format!("/{name}");
        self.texts.retain(|text| {
            text.strip_prefix(&pointer).is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
        self.texts.extend(given.texts.iter().map(|text| format!("{pointer}{text}")));
        let Some(fields) = self.value.as_object_mut() else { return };
        match given.value {
            Some(value) => fields.insert(name.to_owned(), value),
            None => fields.remove(name),
        };
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// The value, and the JSON pointers of the values in it that were given as text.
    pub(crate) fn into_parts(self) -> (Value, Vec<String>) {
        (self.value, self.texts)
    }

    /// JSON pointers of the values that were given as text.
    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Removes a field that has passed the check, and reads it.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, serde_json::Error> {
        schema::read(self.value.get_mut(name).map(Value::take).unwrap_or_default())
    }

    /// Reads the whole draft, which has passed the check.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        schema::read(self.value)
    }

    /// Checks the draft and reads it into the type with this name.
    ///
    /// # Errors
    /// All values that are missing or invalid.
    pub(crate) fn build<T: DeserializeOwned>(self, name: &str) -> Result<T, Error> {
        Error::invalid_fields(schema::check_type(name, &self.value, &self.texts))?;
        // A test reads every value that the check accepts.
        self.read().map_err(|_| Error::invalid_request(format!("a value does not fit its field in `{name}`")))
    }
}

impl From<Draft> for Given {
    fn from(draft: Draft) -> Self {
        Self { value: Some(draft.value), texts: draft.texts }
    }
}

/// A given body; a builder exists only for types that are written as objects.
impl From<Given> for Draft {
    fn from(given: Given) -> Self {
        let Given { value, texts } = given;
        value.filter(Value::is_object).map_or_else(Self::default, |value| Self { value, texts })
    }
}

/// Prints the names of the fields; their values may be secrets.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.value.as_object().into_iter().flat_map(Map::keys)).finish()
    }
}
