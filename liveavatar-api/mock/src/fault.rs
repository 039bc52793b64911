//! Faults: requests that fail, and responses that deviate from the document.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::document::Operation;
use crate::mask::masked_json;
use crate::response::{Cut, MockResponse};
use crate::schema::{allows_null, is_required, non_null};

/// Invented enum value; in lower case, name of the extra field.
const UNKNOWN: &str = "BRAND_NEW";

/// A fault of one request, for [`Server::faults`](crate::Server::faults) and
/// [`Server::inject_fault`](crate::Server::inject_fault).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The request is handled normally after this delay.
    Delayed(Duration),
    /// The request fails before it takes effect.
    Before(Failure),
    /// The request takes effect, then fails.
    After(Failure),
    /// The request takes effect, and its response is changed.
    Mutated(Mutation),
}

/// How a request fails.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The server sends this response.
    Response(MockResponse),
    /// The server drops the connection.
    Disconnect,
    /// The server never responds but keeps the connection open.
    Hang,
}

/// How a response is changed; changes to its JSON follow the schema of the operation's response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mutation {
    /// Every enum value is replaced by an unknown one.
    UnknownEnumValue,
    /// Every object of the schema gets an extra field.
    ExtraField,
    /// Every optional or nullable field is null.
    NullOptional,
    /// Every optional field is missing.
    MissingOptional,
    /// Every required field that is not nullable is null.
    NullRequired,
    /// The connection is dropped after half of the body.
    TruncatedBody,
    /// `Content-Length` is half of the body's length, so only half arrives.
    ContentLengthTooShort,
    /// `Content-Length` is twice the body's length, and the connection closes after the body.
    ContentLengthTooLong,
}

impl Mutation {
    /// All mutations.
    pub const ALL: [Mutation; 8] = [
        Mutation::UnknownEnumValue,
        Mutation::ExtraField,
        Mutation::NullOptional,
        Mutation::MissingOptional,
        Mutation::NullRequired,
        Mutation::TruncatedBody,
        Mutation::ContentLengthTooShort,
        Mutation::ContentLengthTooLong,
    ];

    pub(crate) fn apply(self, operation: &Operation, response: MockResponse) -> MockResponse {
        match self {
            Mutation::TruncatedBody => response.cut(Cut::Truncated),
            Mutation::ContentLengthTooShort => response.cut(Cut::LengthTooShort),
            Mutation::ContentLengthTooLong => response.cut(Cut::LengthTooLong),
            _ if response.status() != operation.success => response,
            _ => {
                let schema = operation.data_schema();
                response.with_json(|body| {
                    if let Some((data, schema)) = body.get_mut("data").zip(schema) {
                        self.change(data, schema);
                    }
                })
            }
        }
    }

    fn change(self, value: &mut Value, schema: &'static Value) {
        let schema = non_null(schema);
        if self == Mutation::UnknownEnumValue && value.is_string() && schema.get("enum").is_some() {
            *value = UNKNOWN.into();
        }
        if let Value::Array(items) = value {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            for item in items {
                self.change(item, schema);
            }
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let Value::Object(object) = value else { return };
        for (name, property) in properties {
            let is_required = is_required(schema, name);
            let is_nullable = !is_required || allows_null(property);
            match self {
                Mutation::MissingOptional if !is_required => drop(object.remove(name)),
                Mutation::NullOptional if is_nullable => drop(object.insert(name.clone(), Value::Null)),
                Mutation::NullRequired if !is_nullable => drop(object.insert(name.clone(), Value::Null)),
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

impl Fault {
    /// Returns the fault in the form in which the control API injects it.
    pub(crate) fn json(&self) -> Value {
        match self {
            Fault::Delayed(time) => json!({ "delayed": time.as_secs_f64() }),
            Fault::Before(failure) => json!({ "before": failure.json() }),
            Fault::After(failure) => json!({ "after": failure.json() }),
            Fault::Mutated(mutation) => json!({ "mutated": format!("{mutation:?}") }),
        }
    }

    /// Says in a few words what the fault does.
    pub(crate) fn summary(&self) -> String {
        match self {
            Fault::Delayed(time) => format!("delayed by {} s", time.as_secs_f64()),
            Fault::Before(failure) => format!("{} before it takes effect", failure.summary()),
            Fault::After(failure) => format!("{} after it takes effect", failure.summary()),
            Fault::Mutated(mutation) => format!("response with {mutation:?}"),
        }
    }
}

impl Failure {
    fn json(&self) -> Value {
        let Failure::Response(response) = self else { return self.summary().into() };
        // The type of a JSON body follows from the body.
        let headers: BTreeMap<_, _> = response.headers().filter(|(name, _)| name != "content-type").collect();
        json!({ "status": response.status(), "headers": headers, "body": masked_json(response.body()) })
    }

    fn summary(&self) -> String {
        match self {
            Failure::Disconnect => "disconnect".to_owned(),
            Failure::Hang => "hang".to_owned(),
            Failure::Response(response) => response.status().to_string(),
        }
    }
}

/// Called for every request with the operation's short name.
pub(crate) type FaultFn = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

#[derive(Default)]
pub(crate) struct FaultPlan {
    pub(crate) choose: Option<FaultFn>,
    /// The oldest entry is used first.
    pub(crate) queued: Vec<QueuedFault>,
    /// Number of faults that were queued so far.
    last_id: u64,
}

/// A fault of the next requests of one operation.
pub(crate) struct QueuedFault {
    pub(crate) id: u64,
    pub(crate) operation: &'static str,
    pub(crate) fault: Fault,
    /// Number of remaining requests.
    pub(crate) times: u32,
}

impl FaultPlan {
    /// Adds a fault and returns its id.
    pub(crate) fn queue(&mut self, operation: &'static str, fault: Fault, times: u32) -> u64 {
        self.last_id += 1;
        self.queued.push(QueuedFault { id: self.last_id, operation, fault, times });
        self.last_id
    }

    /// Removes all faults, and keeps numbering.
    pub(crate) fn clear(&mut self) {
        self.choose = None;
        self.queued.clear();
    }

    /// Removes one fault; returns false if there is none with this id.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.queued.len();
        self.queued.retain(|queued| queued.id != id);
        self.queued.len() < before
    }

    pub(crate) fn next(&mut self, operation: &str) -> Option<Fault> {
        self.queued.retain(|queued| queued.times > 0);
        if let Some(queued) = self.queued.iter_mut().find(|queued| queued.operation == operation) {
            queued.times -= 1;
            return Some(queued.fault.clone());
        }
        self.choose.as_mut().and_then(|faults| faults(operation))
    }
}
