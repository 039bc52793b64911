//! The commands derived from the API document: which resource and verb each operation is.
//!
//! The resource is the first part of the path. The verb follows from the method and the rest of the path: `GET /v1/voices` is
//! `voices list`, `GET /v1/voices/{voice_id}/preview` is `voices preview ID`. A resource with a single special verb becomes that
//! verb: `GET /v1/users/credits` is `credits`.

use std::collections::BTreeMap;

use crate::document::{OperationSpec, kebab_case, operations};

/// The resource whose verbs are added to the hand-written group [`SESSION_GROUP`].
pub(crate) const SESSIONS: &str = "sessions";
pub(crate) const SESSION_GROUP: &str = "session";

/// The common verbs, in the order in which help lists them.
pub(crate) const COMMON_VERBS: [&str; 6] = ["list", "get", "create", "update", "replace", "delete"];

pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) verbs: BTreeMap<String, OperationSpec>,
}

impl Resource {
    /// Whether the resource has only one verb, which is not a common one.
    pub(crate) fn is_single_verb(&self) -> bool {
        self.verbs.len() == 1 && self.verbs.keys().all(|verb| !COMMON_VERBS.contains(&verb.as_str()))
    }
}

/// Returns all resources, sorted by name.
pub(crate) fn resources() -> Vec<Resource> {
    let mut resources: BTreeMap<String, BTreeMap<String, OperationSpec>> = BTreeMap::new();
    for spec in operations() {
        if let Some((resource, verb)) = resource_and_verb(spec) {
            resources.entry(resource).or_default().insert(verb, spec);
        }
    }
    resources.into_iter().map(|(name, verbs)| Resource { name, verbs }).collect()
}

fn resource_and_verb(spec: OperationSpec) -> Option<(String, String)> {
    // The path starts with a slash and the version.
    let mut parts = spec.operation.path.split('/').skip(2);
    let resource = kebab_case(parts.next()?);
    let rest: Vec<&str> = parts.collect();
    let is_item = rest.last().is_some_and(|part| part.starts_with('{'));
    let literals: Vec<String> =
        rest.iter().filter(|part| !part.starts_with('{')).map(|part| kebab_case(part)).collect();
    let verb = match (spec.operation.method, is_item) {
        ("GET", false) => "list",
        ("GET", true) => "get",
        ("POST", _) => "create",
        ("PATCH", _) => "update",
        ("PUT", _) => "replace",
        ("DELETE", _) => "delete",
        _ => return None,
    };
    let verb = match (spec.operation.method, literals.join("-")) {
        (_, name) if name.is_empty() => verb.to_owned(),
        ("GET", name) => name,
        // A POST to a session is an action, such as `stop`, and does not create anything.
        ("POST", name) if resource == SESSIONS => name,
        (_, name) => format!("{verb}-{name}"),
    };
    Some((resource, verb))
}

/// Returns the command that calls an operation.
pub(crate) fn command_of(spec: OperationSpec) -> Option<String> {
    let (name, verb) = resource_and_verb(spec)?;
    let resource = resources().into_iter().find(|resource| resource.name == name)?;
    Some(match name.as_str() {
        SESSIONS => format!("{SESSION_GROUP} {verb}"),
        _ if resource.is_single_verb() => verb,
        _ => format!("{name} {verb}"),
    })
}
