//! Which operations work on stored things, read off the document's paths, methods and answers.
//!
//! A path is a version, a collection, and then nothing, a literal, or the id of an entry. A GET without an id lists where the
//! collection has ids at all, a POST makes an entry, and what has an id gets, changes or deletes that entry.

use serde_json::Value;

use super::document::{self, Operation, Place};
use super::schema::resolve;

/// The word for the entries that belong to nobody in particular, as a literal of a path or a value of a filter.
const PUBLIC: &str = "public";

/// What an operation does with the entries of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    List,
    Create,
    Get,
    Update,
    Delete,
    /// Answers a part of an entry that is not stored.
    Part,
}

/// An operation on stored things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The collection's segment of the path, for example `llm-configurations`.
    pub(super) collection: &'static str,
    pub(super) action: Action,
    /// What follows the collection: a literal, or the name of the id's parameter.
    pub(super) rest: Option<&'static str>,
}

/// Whose entries a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shelf {
    Public,
    Own,
    All,
}

impl Step {
    pub(super) fn of(operation: &'static Operation) -> Option<Step> {
        let (collection, rest) = split(operation.template)?;
        let id = rest.first().and_then(|first| parameter(first));
        let action = match (operation.method.as_str(), rest.len(), id) {
            ("GET", 0 | 1, None) if item_parameter(collection).is_some() => Action::List,
            ("POST", 0 | 1, None) => Action::Create,
            ("GET", 1, Some(_)) => Action::Get,
            ("PATCH" | "PUT", 1, Some(_)) => Action::Update,
            ("DELETE", 1, Some(_)) => Action::Delete,
            (_, 2.., Some(_)) => Action::Part,
            _ => return None,
        };
        Some(Step { collection, action, rest: id.or_else(|| rest.first().copied()) })
    }

    /// Whose entries the list shows, given the values of its filters.
    pub(super) fn shelf(&self, operation: &Operation, query: impl Fn(&str) -> Option<String>) -> Shelf {
        if !has_public(self.collection) {
            return Shelf::All;
        }
        let mut filters =
            operation.parameters.iter().filter(|parameter| offers_public(parameter.schema.value));
        let chosen = filters.find_map(|parameter| query(parameter.name));
        if chosen.as_deref().or(self.rest) == Some(PUBLIC) { Shelf::Public } else { Shelf::Own }
    }
}

/// All operations on a collection.
fn steps(collection: &str) -> impl Iterator<Item = (&'static Operation, Step)> {
    let steps = document::all().iter().filter_map(|operation| Some((operation, Step::of(operation)?)));
    steps.filter(move |(_, step)| step.collection == collection)
}

/// Whether the collection has public entries beside those of the account.
pub(super) fn has_public(collection: &str) -> bool {
    let mut lists = steps(collection).filter(|(_, step)| step.action == Action::List);
    lists.any(|(operation, step)| {
        let filters = operation.parameters.iter().filter(|parameter| parameter.place == Place::Query);
        step.rest == Some(PUBLIC) || filters.into_iter().any(|it| offers_public(it.schema.value))
    })
}

/// The name of the path parameter that holds an entry's id; none where entries cannot be named.
pub(super) fn item_parameter(collection: &str) -> Option<&'static str> {
    document::all().iter().find_map(|operation| {
        let (theirs, rest) = split(operation.template)?;
        parameter(rest.first().filter(|_| theirs == collection)?)
    })
}

/// The singular of a collection as people say it, for example `voice agent`.
pub(super) fn singular(collection: &str) -> String {
    let words = collection.replace(['-', '_'], " ");
    words.strip_suffix('s').unwrap_or(&words).to_owned()
}

/// The schemas in which the operations on a collection show one entry.
pub(super) fn shapes(collection: &str) -> impl Iterator<Item = &'static Value> {
    let shown = [Action::Get, Action::Update, Action::Create, Action::List];
    let schemas = shown.into_iter().flat_map(move |action| {
        steps(collection).filter(move |(_, step)| step.action == action).filter_map(|(it, _)| it.answer)
    });
    schemas.filter_map(data).filter_map(|data| match form(data) {
        Form::Entry(entry) | Form::List(entry) | Form::Page(entry) => Some(entry),
        Form::Other => None,
    })
}

/// How an answer shows entries, with the schema of one.
pub(super) enum Form {
    Entry(&'static Value),
    List(&'static Value),
    Page(&'static Value),
    Other,
}

pub(super) fn form(data: &'static Value) -> Form {
    let results = data.pointer("/properties/results").map(filled).and_then(|results| results.get("items"));
    match (results, data.get("items")) {
        (Some(items), _) => Form::Page(filled(items)),
        (None, Some(items)) => Form::List(filled(items)),
        (None, None) if data.get("properties").is_some() => Form::Entry(data),
        (None, None) => Form::Other,
    }
}

/// The schema of an envelope's data.
pub(super) fn data(answer: &'static Value) -> Option<&'static Value> {
    resolve(answer).pointer("/properties/data").map(filled)
}

/// The schema of a value that is there: references followed, and of a union the first member that is not null.
pub(super) fn filled(schema: &'static Value) -> &'static Value {
    let schema = resolve(schema);
    let members = ["anyOf", "oneOf"].iter().find_map(|keyword| schema.get(keyword)?.as_array());
    let member = members.and_then(|members| members.iter().map(resolve).find(|it| it["type"] != "null"));
    member.unwrap_or(schema)
}

pub(super) fn allows_null(schema: &'static Value) -> bool {
    let schema = resolve(schema);
    let members = ["anyOf", "oneOf"].iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    let types = schema.get("type").and_then(Value::as_array);
    members.into_iter().any(|member| resolve(member)["type"] == "null")
        || types.is_some_and(|types| types.iter().any(|kind| kind == "null"))
}

fn split(template: &'static str) -> Option<(&'static str, Vec<&'static str>)> {
    let mut segments = template.split('/').filter(|segment| !segment.is_empty()).skip(1);
    Some((segments.next()?, segments.collect()))
}

fn parameter(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn offers_public(schema: &'static Value) -> bool {
    let options = filled(schema).get("enum").and_then(Value::as_array);
    options.is_some_and(|options| options.iter().any(|option| option == PUBLIC))
}

#[cfg(test)]
mod tests {
    use super::{Action, Step, has_public, item_parameter, singular};
    use crate::document;

    #[test]
    fn paths_tell_what_an_operation_does() {
        let told: Vec<_> = document::all()
            .iter()
            .filter(|operation| !operation.template.contains("/sessions"))
            .map(|operation| {
                let step = Step::of(operation).map(|step| (step.collection, step.action));
                (operation.name.as_str(), step)
            })
            .collect();
        let step = |name: &str| told.iter().find(|(it, _)| *it == name).and_then(|(_, step)| *step);
        assert_eq!(step("create_image_avatar"), Some(("avatars", Action::Create)));
        assert_eq!(step("list_public_avatars"), Some(("avatars", Action::List)));
        assert_eq!(step("bind_third_party_voice"), Some(("voices", Action::Create)));
        assert_eq!(step("get_voice_preview_by_id"), Some(("voices", Action::Part)));
        assert_eq!(step("create_embed_v2"), Some(("embeddings", Action::Create)));
        assert_eq!(step("delete_secret"), Some(("secrets", Action::Delete)));
        let without: Vec<_> = told.iter().filter(|(_, step)| step.is_none()).map(|(name, _)| *name).collect();
        assert_eq!(without, ["get_languages", "list_llm_models", "get_user_credits"]);
    }

    #[test]
    fn some_collections_have_public_entries() {
        assert_eq!(["avatars", "voices", "contexts", "memory"].map(has_public), [true, true, false, false]);
        assert_eq!(item_parameter("llm-configurations"), Some("config_id"));
        assert_eq!(item_parameter("embeddings"), None);
        assert_eq!(singular("voice_agents"), "voice agent");
    }
}
