//! Requests that go wrong, and answers that are not what the document says.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Cut, MockResponse};
use super::document::Operation;
use super::resource::{allows_null, filled};

/// What an enumeration holds that no version knows.
const UNKNOWN: &str = "BRAND_NEW";

/// What goes wrong with one request, for [`Server::faults`](super::Server::faults) and
/// [`Server::inject_fault`](super::Server::inject_fault).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// It takes effect and is answered, so long after it came.
    Late(Duration),
    /// It goes wrong before it has taken effect.
    Before(Failure),
    /// It takes effect, and its answer goes wrong.
    After(Failure),
    /// It takes effect, and its answer arrives changed.
    Twisted(Mutation),
}

/// How a request goes wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// It gets this answer.
    MockResponse(MockResponse),
    /// Its connection breaks.
    Break,
    /// It gets no answer; the connection stays.
    Silence,
}

/// How an answer is changed on its way; what is changed in the JSON follows from the schema of the operation's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mutation {
    /// Every value of an enumeration is one that nobody knows.
    UnknownEnum,
    /// Every object of the schema has one field more.
    ExtraField,
    /// Everything that may be absent or null is null.
    NullOptional,
    /// Everything that may be absent is absent.
    WithoutOptional,
    /// Everything that must be there is null.
    NullRequired,
    /// The connection breaks in the middle of the body.
    Truncated,
    /// `Content-Length` tells half of the body, and so that is all that arrives.
    Understated,
    /// `Content-Length` tells twice the body, and then the connection closes.
    Overstated,
}

impl Mutation {
    /// All there are.
    pub const ALL: [Mutation; 8] = [
        Mutation::UnknownEnum,
        Mutation::ExtraField,
        Mutation::NullOptional,
        Mutation::WithoutOptional,
        Mutation::NullRequired,
        Mutation::Truncated,
        Mutation::Understated,
        Mutation::Overstated,
    ];

    pub(super) fn apply(self, operation: &Operation, answer: MockResponse) -> MockResponse {
        match self {
            Mutation::Truncated => answer.cut(Cut::Broken),
            Mutation::Understated => answer.cut(Cut::Understated),
            Mutation::Overstated => answer.cut(Cut::Overstated),
            _ if answer.status() != operation.success => answer,
            _ => {
                let schema = operation.answer.and_then(super::resource::data);
                answer.with_json(|body| {
                    if let Some((data, schema)) = body.get_mut("data").zip(schema) {
                        self.change(data, schema);
                    }
                })
            }
        }
    }

    fn change(self, value: &mut Value, schema: &'static Value) {
        let schema = filled(schema);
        if self == Mutation::UnknownEnum && value.is_string() && schema.get("enum").is_some() {
            *value = UNKNOWN.into();
        }
        if let Value::Array(items) = value {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            for item in items {
                self.change(item, schema);
            }
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        let Value::Object(object) = value else { return };
        for (name, property) in properties {
            let is_required = required.iter().any(|it| it.as_str() == Some(name));
            let may_be_null = !is_required || allows_null(property);
            match self {
                Mutation::WithoutOptional if !is_required => drop(object.remove(name)),
                Mutation::NullOptional if may_be_null => drop(object.insert(name.clone(), Value::Null)),
                Mutation::NullRequired if !may_be_null => drop(object.insert(name.clone(), Value::Null)),
                _ => {
                    if let Some(value) = object.get_mut(name) {
                        self.change(value, property);
                    }
                }
            }
        }
        if self == Mutation::ExtraField {
            object.insert(UNKNOWN.to_lowercase(), json!({ "deep": [1] }));
        }
    }
}

/// Asked for every request, with the operation's short name.
pub(super) type Faults = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

/// Faults that wait for calls of one operation.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) asked: Option<Faults>,
    /// Operation, fault, and how many more requests it is for; first come, first used.
    queued: Vec<(&'static str, Fault, u32)>,
}

impl Plan {
    pub(super) fn queue(&mut self, operation: &'static str, times: u32, fault: Fault) {
        self.queued.push((operation, fault, times));
    }

    pub(super) fn clear(&mut self) {
        *self = Plan::default();
    }

    pub(super) fn next(&mut self, operation: &str) -> Option<Fault> {
        self.queued.retain(|(.., times)| *times > 0);
        if let Some((_, fault, times)) = self.queued.iter_mut().find(|(name, ..)| *name == operation) {
            *times -= 1;
            return Some(fault.clone());
        }
        self.asked.as_mut().and_then(|faults| faults(operation))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Plan").field("queued", &self.queued).finish_non_exhaustive()
    }
}
