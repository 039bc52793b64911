//! The stored records of one server, of the account and public: created, listed, updated and deleted.
//!
//! Nothing here is specific to a kind of record: its fields follow from the document's response schemas, see
//! [`resource_operation`](crate::resource_operation) and [`record`](crate::record).

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use tokio::time::Instant;

use crate::call::Call;
use crate::clock::Clock;
use crate::document;
use crate::example::example_request;
use crate::record::{Record, RecordWriter, numbered_id, show};
use crate::resource_operation::{self, Action, ResourceOperation, ResponseShape, Visibility};
use crate::response::MockResponse;
use crate::schema::resolve;
use liveavatar_api::session::SANDBOX_AVATAR_ID;

pub(crate) struct Storage {
    clock: Clock,
    /// Number of public records in each collection that has them.
    public: u32,
    last_id: u128,
    /// Oldest first; a collection is created on first use.
    collections: BTreeMap<&'static str, Vec<Record>>,
    /// Ids in lower case.
    deleted: HashSet<String>,
}

impl Storage {
    pub(crate) fn new(public: u32, clock: Clock) -> Storage {
        Storage { clock, public, last_id: 0, collections: BTreeMap::new(), deleted: HashSet::new() }
    }

    /// Returns whether a collection has a record; true for every id of a collection that the document lacks.
    pub(crate) fn has(&mut self, collection: &str, id: &str) -> bool {
        let known = known_collection(collection);
        known.is_none_or(|known| self.records(known).iter().any(|record| record.is(id)))
    }

    pub(crate) fn is_deleted(&self, id: &str) -> bool {
        self.deleted.contains(&id.to_lowercase())
    }

    /// Returns a field of a record, if both exist.
    pub(crate) fn field(&mut self, collection: &str, id: &str, name: &str) -> Option<&Value> {
        self.records(known_collection(collection)?).iter().find(|record| record.is(id))?.field(name)
    }

    /// Handles an operation on stored records; `None` if the record does not exist.
    pub(crate) fn handle(&mut self, resource: &ResourceOperation, call: &Call<'_>) -> Option<MockResponse> {
        let now = self.clock.now();
        let schema = call.operation.data_schema();
        let id = call.path(resource.rest.unwrap_or_default());
        let data = match resource.action {
            Action::List => self.list(resource, call, schema, now),
            Action::Create => {
                let record = self.create(resource, call);
                let shown = show(&record, schema, resource, now);
                self.records(resource.collection).push(record);
                shown
            }
            Action::Get => {
                let record = self.records(resource.collection).iter().find(|record| record.is(id))?;
                show(record, schema, resource, now)
            }
            Action::GetPart => {
                self.records(resource.collection).iter().find(|record| record.is(id))?;
                return Some(call.example_response());
            }
            // Public records are treated as missing: no response for them is recorded.
            Action::Update => {
                let writer = self.writer(call);
                let mut own = self.records(resource.collection).iter_mut().filter(|record| record.is_own);
                let record = own.find(|record| record.is(id))?;
                writer.update(record, resource.collection, &call.input.body);
                show(record, schema, resource, now)
            }
            Action::Delete => {
                let records = self.records(resource.collection);
                let index = records.iter().position(|record| record.is_own && record.is(id))?;
                let id = records.remove(index).id.to_lowercase();
                self.deleted.insert(id);
                Value::Null
            }
        };
        Some(call.documented_response(data))
    }

    fn list(
        &mut self,
        resource: &ResourceOperation,
        call: &Call<'_>,
        schema: Option<&'static Value>,
        now: Instant,
    ) -> Value {
        let text = |name: &str| call.input.query.get(name).and_then(Value::as_str).map(str::to_owned);
        let visibility = resource.visibility(call.operation, text);
        // A filter has the name of a field, or the last part of it.
        let filters: Vec<_> = call.input.query.iter().filter(|(_, value)| value.is_string()).collect();
        let matches = |record: &&Record| {
            let has_value = |name: &str, value: &Value| {
                let ending = format!("_{name}");
                let mut named =
                    record.field_names().filter(|field| *field == name || field.ends_with(&ending));
                named.next().is_none_or(|field| record.field(field) == Some(value))
            };
            let is_visible = match visibility {
                Visibility::Public => !record.is_own,
                Visibility::Own => record.is_own,
                Visibility::All => true,
            };
            is_visible && filters.iter().all(|(name, value)| has_value(name, value))
        };
        let mut found: Vec<&Record> = self.records(resource.collection).iter().filter(matches).collect();
        // Newest first, as the document says about two lists.
        found.reverse();
        match schema.map(resource_operation::response_shape) {
            Some(ResponseShape::Page(schema)) => {
                call.page(&found, |record| show(record, Some(schema), resource, now))
            }
            Some(ResponseShape::List(schema)) => {
                found.iter().map(|record| show(record, Some(schema), resource, now)).collect()
            }
            _ => Value::Null,
        }
    }

    fn create(&mut self, resource: &ResourceOperation, call: &Call<'_>) -> Record {
        let mut record = Record::new(self.next_id(), self.clock.now());
        self.writer(call).create(&mut record, resource, &call.input.body);
        record
    }

    fn writer(&mut self, call: &Call<'_>) -> RecordWriter {
        let body = call.operation.body.as_ref().map(|body| body.schema.value);
        let first_id = self.last_id + 1;
        // Enough ids for the nested objects of a record.
        self.last_id += 1 << 16;
        RecordWriter {
            settable: body.and_then(|schema| resolve(schema).get("properties")?.as_object()),
            now: self.clock.rfc3339(self.clock.now()),
            next_id: Cell::new(first_id),
        }
    }

    fn next_id(&mut self) -> String {
        self.last_id += 1;
        numbered_id(self.last_id)
    }

    /// Returns the records of a collection, oldest first.
    fn records(&mut self, collection: &'static str) -> &mut Vec<Record> {
        if !self.collections.contains_key(collection) {
            let records = self.initial_records(collection);
            self.collections.insert(collection, records);
        }
        self.collections.entry(collection).or_default()
    }

    /// Returns the public records and one record of the account, which has the id of the document's examples.
    fn initial_records(&mut self, collection: &'static str) -> Vec<Record> {
        let Some(parameter) = resource_operation::item_parameter(collection) else {
            return Vec::new();
        };
        let now = self.clock.now();
        let example = document::all()
            .iter()
            .filter(|operation| {
                ResourceOperation::of(operation).is_some_and(|resource| resource.collection == collection)
            })
            .find_map(|operation| example_request(&operation.name)?.path.remove(parameter));
        let id = example.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut own = Record::new(id, now);
        own.fill_with_examples(collection);
        let mut records = Vec::new();
        let public = if resource_operation::has_public(collection) { self.public } else { 0 };
        let kind = resource_operation::singular(collection);
        for number in (1..=public).rev() {
            let is_sandbox = collection == "avatars" && number == 1;
            let id = if is_sandbox { SANDBOX_AVATAR_ID.to_owned() } else { self.next_id() };
            records.push(own.public(id, format!("Public {kind} {number}")));
        }
        records.push(own);
        records
    }
}

/// Returns the document's own copy of a collection's name.
fn known_collection(collection: &str) -> Option<&'static str> {
    let mut all =
        document::all().iter().filter_map(ResourceOperation::of).map(|resource| resource.collection);
    all.find(|known| *known == collection)
}
