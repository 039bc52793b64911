//! What a browser may choose: fields by their paths, and what each of them takes.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::answer::Field;
use crate::config::Path;

/// More options than this are not listed to a browser that chose none of them.
const LISTED_OPTIONS: usize = 10;

type Check = Box<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

/// What a browser may choose for one field.
pub struct Choice(Check);

impl Choice {
    /// One of these values.
    pub fn one_of<V: Into<Value>>(options: impl IntoIterator<Item = V>) -> Self {
        let options: Vec<Value> = options.into_iter().map(Into::into).collect();
        let listed: Vec<_> = options.iter().take(LISTED_OPTIONS).map(Value::to_string).collect();
        let more = if options.len() > LISTED_OPTIONS { ", …" } else { "" };
        let refusal = format!("is none of {}{more}", listed.join(", "));
        Self::checked(move |value| if options.contains(value) { Ok(()) } else { Err(refusal.clone()) })
    }

    /// A whole number from 1 to the limit, such as seconds.
    #[must_use]
    pub fn up_to(limit: u64) -> Self {
        Self::checked(move |value| match value.as_u64() {
            Some(number) if (1..=limit).contains(&number) => Ok(()),
            _ => Err(format!("is no whole number from 1 to {limit}")),
        })
    }

    /// Whatever the function lets pass; the browser sees its refusal, which follows the field's path.
    ///
    /// ```
    /// use liveavatar_api::endpoint::Choice;
    ///
    /// let short = Choice::checked(|value| match value.as_str() {
    ///     Some(text) if text.len() <= 40 => Ok(()),
    ///     _ => Err("is no text of up to 40 bytes".to_owned()),
    /// });
    /// ```
    pub fn checked(check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Box::new(check))
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice").finish_non_exhaustive()
    }
}

/// The keys on the way to a field.
type Keys = Vec<String>;

/// The fields that may be chosen; all others are the server's.
#[derive(Default)]
pub(super) struct Choices(BTreeMap<Keys, Choice>);

impl Choices {
    pub(super) fn allow(&mut self, path: &str, choice: Choice) {
        self.0.insert(path.split('.').map(str::to_owned).collect(), choice);
    }

    /// The keys of every field.
    pub(super) fn paths(&self) -> impl Iterator<Item = Vec<&str>> {
        self.0.keys().map(|keys| keys.iter().map(String::as_str).collect())
    }

    /// Puts what was chosen into the configuration, and returns the paths of it.
    ///
    /// # Errors
    /// Every field that may not be chosen, or not like this.
    pub(super) fn apply(
        &self,
        chosen: Map<String, Value>,
        configuration: &mut Value,
    ) -> Result<Vec<String>, Vec<Field>> {
        let mut taken = Vec::new();
        let mut refused = Vec::new();
        self.sort(&mut Vec::new(), chosen, &mut taken, &mut refused);
        if !refused.is_empty() {
            return Err(refused);
        }
        let paths = taken.into_iter().map(|(keys, value)| {
            let path = shown(&keys);
            put(configuration, &keys, value);
            path
        });
        Ok(paths.collect())
    }

    fn sort(
        &self,
        at: &mut Keys,
        chosen: Map<String, Value>,
        taken: &mut Vec<(Keys, Value)>,
        refused: &mut Vec<Field>,
    ) {
        for (key, value) in chosen {
            at.push(key);
            match (self.0.get(at), value) {
                (Some(Choice(check)), value) => match check(&value) {
                    Ok(()) => taken.push((at.clone(), value)),
                    Err(message) => refused.push(Field { path: shown(at), message }),
                },
                (None, Value::Object(inner)) if self.0.keys().any(|keys| keys.starts_with(at)) => {
                    self.sort(at, inner, taken, refused);
                }
                (None, _) => {
                    refused.push(Field { path: shown(at), message: self.not_offered() });
                }
            }
            at.pop();
        }
    }

    fn not_offered(&self) -> String {
        let paths: Vec<_> = self.0.keys().map(|keys| shown(keys)).collect();
        if paths.is_empty() {
            "is not for the browser to choose; nothing is".to_owned()
        } else {
            format!("is none of the fields that a browser may choose: {}", paths.join(", "))
        }
    }
}

fn shown(keys: &[String]) -> String {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    Path::of(&keys).to_string()
}

fn put(into: &mut Value, keys: &[String], value: Value) {
    let mut place = into;
    for key in keys {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        // An object, whichever it was before.
        let Value::Object(map) = place else { return };
        place = map.entry(key).or_insert(Value::Null);
    }
    *place = value;
}
