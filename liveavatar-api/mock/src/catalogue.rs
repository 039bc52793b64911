//! What an account has stored, and what is public: entries that are made, shown, changed and deleted.
//!
//! No kind of entry is known here. What an entry holds follows from the answers in which the document shows it, see
//! [`resource`](super::resource) and [`entry`](super::entry).

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::MockResponse;
use super::clock::Clock;
use super::document;
use super::entry::{Filling, Record, show};
use super::example::example_request;
use super::page::page;
use super::resource::{self, Action, Form, Shelf, Step};
use super::schema::resolve;
use super::session_calls::Call;
use liveavatar_api::session::SANDBOX_AVATAR_ID;

/// Ids count up from here; version and variant bits are those of a random UUID.
const ID_BASE: u128 = 0xca7a_1060_0000_4000_8000_0000_0000_0000;

pub(super) struct Catalogue {
    clock: Clock,
    /// Public entries of each collection that has such.
    public: u32,
    ids: u128,
    /// Oldest first; a collection is filled when it is first looked at.
    collections: BTreeMap<&'static str, Vec<Record>>,
    /// Ids of what was deleted.
    deleted: HashSet<String>,
}

impl Catalogue {
    pub(super) fn new(public: u32, clock: Clock) -> Catalogue {
        Catalogue { clock, public, ids: 0, collections: BTreeMap::new(), deleted: HashSet::new() }
    }

    /// Whether a collection has an entry of this id; of a collection that the document does not have, every id is good.
    pub(super) fn has(&mut self, collection: &str, id: &str) -> bool {
        let known = known(collection);
        known.is_none_or(|known| self.entries(known).iter().any(|record| record.is(id)))
    }

    pub(super) fn is_deleted(&self, id: &str) -> bool {
        self.deleted.contains(&id.to_lowercase())
    }

    /// A field of an entry, if there is such an entry.
    pub(super) fn field(&mut self, collection: &str, id: &str, name: &str) -> Option<&Value> {
        self.entries(known(collection)?).iter().find(|record| record.is(id))?.fields.get(name)
    }

    /// Answers an operation on stored things; with the id of what it deleted.
    pub(super) fn answer(&mut self, step: &Step, call: &Call<'_>) -> (MockResponse, Option<String>) {
        let now = self.clock.now();
        let missing = || (MockResponse::not_found(&resource::singular(step.collection)), None);
        let schema = call.operation.answer.and_then(resource::data);
        let id = step.rest.map_or("", |parameter| call.path(parameter));
        match step.action {
            Action::List => (call.documented(self.list(step, call, schema, now)), None),
            Action::Create => {
                let record = self.create(step, call);
                let answer = show(&record, schema, step, now);
                self.entries(step.collection).push(record);
                (call.documented(answer), None)
            }
            Action::Get => match self.entries(step.collection).iter().find(|record| record.is(id)) {
                Some(record) => (call.documented(show(record, schema, step, now)), None),
                None => missing(),
            },
            Action::Part => {
                let found = self.entries(step.collection).iter().any(|record| record.is(id));
                if found { (call.example(), None) } else { missing() }
            }
            // Others' entries are as if they were not there: no answer for them is on record.
            Action::Update => {
                let filling = self.filling(call);
                let mut own = self.entries(step.collection).iter_mut().filter(|record| record.is_own);
                let Some(record) = own.find(|record| record.is(id)) else { return missing() };
                filling.change(record, step.collection, &call.input.body);
                (call.documented(show(record, schema, step, now)), None)
            }
            Action::Delete => {
                let entries = self.entries(step.collection);
                let Some(at) = entries.iter().position(|record| record.is_own && record.is(id)) else {
                    return missing();
                };
                let gone = entries.remove(at).id.to_lowercase();
                self.deleted.insert(gone.clone());
                (call.documented(Value::Null), Some(gone))
            }
        }
    }

    fn list(&mut self, step: &Step, call: &Call<'_>, schema: Option<&'static Value>, now: Instant) -> Value {
        let text = |name: &str| call.input.query.get(name).and_then(Value::as_str).map(str::to_owned);
        let whose = step.shelf(call.operation, text);
        // A filter is named like a property, or like the end of its name.
        let filters: Vec<_> = call.input.query.iter().filter(|(_, value)| value.is_string()).collect();
        let fits = |record: &&Record| {
            let holds = |name: &str, value: &Value| {
                let ending = format!("_{name}");
                let mut named =
                    record.fields.iter().filter(|(field, _)| *field == name || field.ends_with(&ending));
                named.next().is_none_or(|(_, held)| held == value)
            };
            let is_there = match whose {
                Shelf::Public => !record.is_own,
                Shelf::Own => record.is_own,
                Shelf::All => true,
            };
            is_there && filters.iter().all(|(name, value)| holds(name, value))
        };
        let mut found: Vec<&Record> = self.entries(step.collection).iter().filter(fits).collect();
        // The document says so of two lists.
        found.reverse();
        match schema.map(resource::form) {
            Some(Form::Page(entry)) => page(call, &found, |record| show(record, Some(entry), step, now)),
            Some(Form::List(entry)) => {
                found.iter().map(|record| show(record, Some(entry), step, now)).collect()
            }
            _ => Value::Null,
        }
    }

    fn create(&mut self, step: &Step, call: &Call<'_>) -> Record {
        let mut record = Record::new(self.next_id(), self.clock.now());
        self.filling(call).fill(&mut record, step, &call.input.body);
        record
    }

    fn filling(&mut self, call: &Call<'_>) -> Filling {
        let asked = call.operation.body.as_ref().map(|body| body.schema.value);
        let first_id = self.ids + 1;
        // Enough for every part of an entry that has an id of its own.
        self.ids += 1 << 16;
        Filling {
            asked: asked.and_then(|schema| resolve(schema).get("properties")?.as_object()),
            now: self.clock.rfc3339(self.clock.now()),
            ids: Cell::new(first_id),
        }
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        made_id(self.ids)
    }

    /// The entries of a collection, oldest first.
    fn entries(&mut self, collection: &'static str) -> &mut Vec<Record> {
        if !self.collections.contains_key(collection) {
            let seeds = self.seeds(collection);
            self.collections.insert(collection, seeds);
        }
        self.collections.entry(collection).or_default()
    }

    /// What is there at the start: one entry of the account, under the id of the document's examples, and public ones.
    fn seeds(&mut self, collection: &'static str) -> Vec<Record> {
        let Some(parameter) = resource::item_parameter(collection) else {
            return Vec::new();
        };
        let now = self.clock.now();
        let example = document::all()
            .iter()
            .filter(|operation| Step::of(operation).is_some_and(|step| step.collection == collection))
            .find_map(|operation| example_request(&operation.name)?.path.remove(parameter));
        let id = example.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut own = Record::new(id, now);
        own.seed(collection);
        let mut seeds = Vec::new();
        let public = if resource::has_public(collection) { self.public } else { 0 };
        for number in (1..=public).rev() {
            // The avatar of the sandbox is a public one.
            let is_sandbox = collection == "avatars" && number == 1;
            let id = if is_sandbox { SANDBOX_AVATAR_ID.to_owned() } else { self.next_id() };
            let mut record = Record::new(id, now);
            record.is_own = false;
            record.seed(collection);
            record.rename(&format!("Public {} {number}", resource::singular(collection)));
            seeds.push(record);
        }
        seeds.push(own);
        seeds
    }
}

/// The collection as the document has it, if it does.
fn known(collection: &str) -> Option<&'static str> {
    let mut all = document::all().iter().filter_map(Step::of).map(|step| step.collection);
    all.find(|known| *known == collection)
}

/// The id of that number.
pub(super) fn made_id(number: u128) -> String {
    Uuid::from_u128(ID_BASE + number).to_string()
}
