//! The fields that browsers may choose, by path, and their allowed values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::response::InvalidField;
use crate::schema::Path;

/// How many options an error message lists.
const MAX_LISTED_OPTIONS: usize = 10;

type Check = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

/// The values that a browser may choose for a field.
#[derive(Clone)]
pub struct Choice(Check);

impl Choice {
    /// Allows the given values.
    pub fn one_of<V: Into<Value>>(options: impl IntoIterator<Item = V>) -> Self {
        let options: Vec<Value> = options.into_iter().map(Into::into).collect();
        let listed: Vec<_> = options.iter().take(MAX_LISTED_OPTIONS).map(Value::to_string).collect();
        let more = if options.len() > MAX_LISTED_OPTIONS { ", …" } else { "" };
        let message = format!("must be one of {}{more}", listed.join(", "));
        Self::checked(move |value| if options.contains(value) { Ok(()) } else { Err(message.clone()) })
    }

    /// Allows whole numbers from 1 to the limit.
    #[must_use]
    pub fn up_to(limit: u64) -> Self {
        Self::checked(move |value| match value.as_u64() {
            Some(number) if (1..=limit).contains(&number) => Ok(()),
            _ => Err(format!("must be a whole number from 1 to {limit}")),
        })
    }

    /// Allows the values that a function accepts. The browser sees its error message after the field's path.
    ///
    /// ```
    /// use liveavatar_api::endpoint::Choice;
    ///
    /// let short = Choice::checked(|value| match value.as_str() {
    ///     Some(text) if text.len() <= 40 => Ok(()),
    ///     _ => Err("must be a string of at most 40 bytes".to_owned()),
    /// });
    /// ```
    pub fn checked(check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice").finish_non_exhaustive()
    }
}

/// The keys from the root of the configuration to a field.
type Keys = Vec<String>;

/// The fields that browsers may choose, and the choice of each user.
pub(super) struct Choices<U>(BTreeMap<Keys, ChoiceOf<U>>);

type ChoiceOf<U> = Box<dyn Fn(&U) -> Choice + Send + Sync>;

impl<U> Choices<U> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn allow(&mut self, path: &str, choice: impl Fn(&U) -> Choice + Send + Sync + 'static) {
        self.0.insert(path.split('.').map(str::to_owned).collect(), Box::new(choice));
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = Vec<&str>> {
        self.0.keys().map(|keys| keys.iter().map(String::as_str).collect())
    }

    /// Writes the chosen values into the configuration and returns their paths.
    ///
    /// # Errors
    /// All fields that cannot be chosen and all values that are not allowed.
    pub(super) fn apply(
        &self,
        user: &U,
        chosen: Map<String, Value>,
        configuration: &mut Value,
    ) -> Result<Vec<String>, Vec<InvalidField>> {
        let mut accepted = Vec::new();
        let mut invalid = Vec::new();
        self.check(user, &mut Vec::new(), chosen, &mut accepted, &mut invalid);
        if !invalid.is_empty() {
            return Err(invalid);
        }
        let paths = accepted.into_iter().map(|(keys, value)| {
            let path = display(&keys);
            set(configuration, &keys, value);
            path
        });
        Ok(paths.collect())
    }

    fn check(
        &self,
        user: &U,
        at: &mut Keys,
        chosen: Map<String, Value>,
        accepted: &mut Vec<(Keys, Value)>,
        invalid: &mut Vec<InvalidField>,
    ) {
        for (key, value) in chosen {
            at.push(key);
            match (self.0.get(at), value) {
                (Some(choice), value) => match choice(user).0(&value) {
                    Ok(()) => accepted.push((at.clone(), value)),
                    Err(message) => invalid.push(InvalidField { path: display(at), message }),
                },
                (None, Value::Object(inner)) if self.0.keys().any(|keys| keys.starts_with(at)) => {
                    self.check(user, at, inner, accepted, invalid);
                }
                (None, _) => invalid.push(InvalidField { path: display(at), message: self.not_offered() }),
            }
            at.pop();
        }
    }

    fn not_offered(&self) -> String {
        let paths: Vec<_> = self.0.keys().map(|keys| display(keys)).collect();
        if paths.is_empty() {
            "cannot be chosen; this endpoint offers no choices".to_owned()
        } else {
            format!("cannot be chosen; choose from {}", paths.join(", "))
        }
    }
}

fn display(keys: &[String]) -> String {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    Path::of(&keys).to_string()
}

/// Sets the field at `keys`, replacing values on the way that are not objects.
fn set(into: &mut Value, keys: &[String], value: Value) {
    let mut place = into;
    for key in keys {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(map) = place else { return };
        place = map.entry(key).or_insert(Value::Null);
    }
    *place = value;
}
