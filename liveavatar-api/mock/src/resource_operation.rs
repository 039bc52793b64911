//! The operations on stored records, derived from the document's paths, methods and responses.
//!
//! A path is a version, a collection, and then nothing, a literal, or the id of a record. A GET without an id lists the
//! records, if the collection has ids; a POST creates a record; a path with an id gets, updates or deletes that record.

use serde_json::Value;

use crate::document::{self, Operation};
use crate::schema::{enum_values, non_null};

/// Marks lists of public records, as a literal in a path or the value of a filter.
const PUBLIC: &str = "public";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    List,
    Create,
    Get,
    Update,
    Delete,
    /// Returns related data that is not stored, such as a preview.
    GetPart,
}

/// An operation on the records of one collection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceOperation {
    /// The collection's path segment, for example `llm-configurations`.
    pub(crate) collection: &'static str,
    pub(crate) action: Action,
    /// What follows the collection in the path: a literal, or the name of the id's parameter.
    pub(crate) rest: Option<&'static str>,
}

/// The records that a list includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    Public,
    Own,
    All,
}

impl ResourceOperation {
    pub(crate) fn of(operation: &'static Operation) -> Option<ResourceOperation> {
        let (collection, rest) = split(operation.template)?;
        let id = rest.first().and_then(|first| parameter(first));
        let action = match (operation.method.as_str(), rest.len(), id) {
            ("GET", 0 | 1, None) if item_parameter(collection).is_some() => Action::List,
            ("POST", 0 | 1, None) => Action::Create,
            ("GET", 1, Some(_)) => Action::Get,
            ("PATCH" | "PUT", 1, Some(_)) => Action::Update,
            ("DELETE", 1, Some(_)) => Action::Delete,
            (_, 2.., Some(_)) => Action::GetPart,
            _ => return None,
        };
        Some(ResourceOperation { collection, action, rest: id.or_else(|| rest.first().copied()) })
    }

    /// Returns the records that a list includes, given the values of its filters.
    pub(crate) fn visibility(
        &self,
        operation: &Operation,
        query: impl Fn(&str) -> Option<String>,
    ) -> Visibility {
        if !has_public(self.collection) {
            return Visibility::All;
        }
        let chosen = public_filters(operation).find_map(query);
        if chosen.as_deref().or(self.rest) == Some(PUBLIC) { Visibility::Public } else { Visibility::Own }
    }
}

fn operations_on(collection: &str) -> impl Iterator<Item = (&'static Operation, ResourceOperation)> {
    let all =
        document::all().iter().filter_map(|operation| Some((operation, ResourceOperation::of(operation)?)));
    all.filter(move |(_, resource)| resource.collection == collection)
}

/// Returns whether the collection has public records in addition to those of the account.
pub(crate) fn has_public(collection: &str) -> bool {
    let mut lists = operations_on(collection).filter(|(_, resource)| resource.action == Action::List);
    lists.any(|(operation, resource)| {
        resource.rest == Some(PUBLIC) || public_filters(operation).next().is_some()
    })
}

/// Returns the path parameter with a record's id; `None` if no path of the collection has one.
pub(crate) fn item_parameter(collection: &str) -> Option<&'static str> {
    document::all().iter().find_map(|operation| {
        let (found, rest) = split(operation.template)?;
        parameter(rest.first().filter(|_| found == collection)?)
    })
}

/// Returns the singular of a collection in plain English, for example `voice agent`.
pub(crate) fn singular(collection: &str) -> String {
    let words = collection.replace(['-', '_'], " ");
    words.strip_suffix('s').unwrap_or(&words).to_owned()
}

/// Returns the schemas that describe one record in the responses of a collection's operations.
pub(crate) fn record_schemas(collection: &str) -> impl Iterator<Item = &'static Value> {
    let actions = [Action::Get, Action::Update, Action::Create, Action::List];
    let schemas = actions.into_iter().flat_map(move |action| {
        operations_on(collection)
            .filter(move |(_, resource)| resource.action == action)
            .filter_map(|(it, _)| it.data_schema())
    });
    schemas.filter_map(|data| match response_shape(data) {
        ResponseShape::Single(record) | ResponseShape::List(record) | ResponseShape::Page(record) => {
            Some(record)
        }
        ResponseShape::Other => None,
    })
}

/// How a response contains records, with the schema of one record.
pub(crate) enum ResponseShape {
    Single(&'static Value),
    List(&'static Value),
    Page(&'static Value),
    Other,
}

pub(crate) fn response_shape(data: &'static Value) -> ResponseShape {
    let results = data.pointer("/properties/results").map(non_null).and_then(|results| results.get("items"));
    match (results, data.get("items")) {
        (Some(items), _) => ResponseShape::Page(non_null(items)),
        (None, Some(items)) => ResponseShape::List(non_null(items)),
        (None, None) if data.get("properties").is_some() => ResponseShape::Single(data),
        (None, None) => ResponseShape::Other,
    }
}

fn split(template: &'static str) -> Option<(&'static str, Vec<&'static str>)> {
    let mut segments = template.split('/').filter(|segment| !segment.is_empty()).skip(1);
    Some((segments.next()?, segments.collect()))
}

fn parameter(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Returns the query parameters that can select public records.
fn public_filters(operation: &Operation) -> impl Iterator<Item = &'static str> {
    let queries = operation.parameters.iter().filter(|parameter| parameter.location == "query");
    queries.filter(|parameter| enum_values(parameter.schema.value).contains(&PUBLIC.into())).map(|it| it.name)
}

#[cfg(test)]
mod tests {
    use super::{Action, ResourceOperation, has_public, item_parameter, singular};
    use crate::document;

    #[test]
    fn the_action_follows_from_path_and_method() {
        let actions: Vec<_> = document::all()
            .iter()
            .filter(|operation| !operation.template.contains("/sessions"))
            .map(|operation| {
                let resource =
                    ResourceOperation::of(operation).map(|resource| (resource.collection, resource.action));
                (operation.name.as_str(), resource)
            })
            .collect();
        let resource =
            |name: &str| actions.iter().find(|(it, _)| *it == name).and_then(|(_, resource)| *resource);
        assert_eq!(resource("create_image_avatar"), Some(("avatars", Action::Create)));
        assert_eq!(resource("list_public_avatars"), Some(("avatars", Action::List)));
        assert_eq!(resource("bind_third_party_voice"), Some(("voices", Action::Create)));
        assert_eq!(resource("get_voice_preview_by_id"), Some(("voices", Action::GetPart)));
        assert_eq!(resource("create_embed_v2"), Some(("embeddings", Action::Create)));
        assert_eq!(resource("delete_secret"), Some(("secrets", Action::Delete)));
        let without: Vec<_> =
            actions.iter().filter(|(_, resource)| resource.is_none()).map(|(name, _)| *name).collect();
        assert_eq!(without, ["get_languages", "list_llm_models", "get_user_credits"]);
    }

    #[test]
    fn some_collections_have_public_records() {
        assert_eq!(["avatars", "voices", "contexts", "memory"].map(has_public), [true, true, false, false]);
        assert_eq!(item_parameter("llm-configurations"), Some("config_id"));
        assert_eq!(item_parameter("embeddings"), None);
        assert_eq!(singular("voice_agents"), "voice agent");
    }
}
