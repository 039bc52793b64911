//! The parts of two lowered documents whose generated code can differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::lower::{self, RefusedOperation, references};

/// The generated code of a type depends on the directions that contain it: requests, responses.
const DIRECTIONS: usize = 2;

/// The operations of a lowered document, by path and method.
type Operations<'d> = BTreeMap<(&'d str, &'d str), Operation<'d>>;

struct Operation<'d> {
    value: &'d Value,
    /// What all operations of its path share.
    shared: Vec<(&'d str, &'d Value)>,
    /// The components that its requests and its responses refer to.
    refers: [BTreeSet<String>; DIRECTIONS],
}

/// The components of a lowered document.
struct Components<'d> {
    schemas: BTreeMap<&'d str, &'d Value>,
    /// The components that each refers to.
    uses: BTreeMap<&'d str, BTreeSet<String>>,
}

/// Leaves out the operations for which both documents lead to the same code, and those that are refused.
///
/// An operation remains if it differs, or contains a type of such an operation in a direction in which none of the remaining
/// ones does.
#[must_use]
pub fn differing(documents: [&Value; 2], refused: &[RefusedOperation]) -> [Value; 2] {
    let operations = documents.map(|document| operations(document, refused));
    let components = documents.map(Components::new);
    let [old, new] = &components;
    let names = old.schemas.keys().chain(new.schemas.keys());
    let differing: Vec<&str> =
        names.filter(|name| old.schemas.get(*name) != new.schemas.get(*name)).copied().collect();
    let tainted = [old, new].map(|components| components.using(&differing));
    let differs = |key: &(&str, &str)| {
        let [old, new] = [&operations[0], &operations[1]].map(|operations| operations.get(key));
        let (Some(old), Some(new)) = (old, new) else { return true };
        let taints = |name: &String| tainted.iter().any(|tainted| tainted.contains(name.as_str()));
        old.value != new.value || old.shared != new.shared || old.refers.iter().flatten().any(taints)
    };
    let all: BTreeSet<_> = operations.iter().flat_map(|operations| operations.keys().copied()).collect();
    let (mut kept, others): (Vec<_>, Vec<_>) = all.into_iter().partition(differs);
    // The types of the remaining operations, by document and direction. One without generated code has types, but nothing that
    // the direction decides.
    let contains = |side: usize, direction: usize, is_generated: &dyn Fn(&str) -> bool| {
        let keys = kept.iter().filter(|(path, _)| is_generated(path));
        let operations = keys.filter_map(|key| operations[side].get(key));
        components[side].closure(operations.flat_map(|operation| &operation.refers[direction]))
    };
    let of = |is_generated: &dyn Fn(&str) -> bool| {
        [0, 1].map(|side| [0, 1].map(|direction| contains(side, direction, is_generated)))
    };
    let types: BTreeSet<&str> = of(&|_| true).into_iter().flatten().flatten().collect();
    let mut contained = of(&|path| !path.is_empty());
    let mut added = Vec::new();
    // Those without generated code have nothing to add.
    for key in others.into_iter().filter(|(path, _)| !path.is_empty()) {
        // The same in both documents, and so is what it refers to.
        let operation = &operations[0][&key];
        let mut adds = false;
        for (direction, refers) in operation.refers.iter().enumerate() {
            let reached = components[0].closure(refers);
            let mut shared = reached.iter().filter(|name| types.contains(*name));
            if shared.any(|name| contained.iter().any(|types| !types[direction].contains(name))) {
                adds = true;
                for types in &mut contained {
                    types[direction].extend(&reached);
                }
            }
        }
        if adds {
            added.push(key);
        }
    }
    kept.append(&mut added);
    [0, 1].map(|side| {
        let (mut paths, mut others, mut roots) = (Map::new(), Map::new(), BTreeSet::new());
        for (path, method) in &kept {
            let Some(operation) = operations[side].get(&(*path, *method)) else { continue };
            roots.extend(operation.refers.iter().flatten());
            if path.is_empty() {
                others.insert((*method).to_owned(), operation.value.clone());
                continue;
            }
            let item = paths.entry(*path).or_insert_with(|| json!({}));
            item[*method] = operation.value.clone();
            operation.shared.iter().for_each(|(key, part)| item[*key] = (*part).clone());
        }
        let Components { schemas, .. } = &components[side];
        let used = components[side].closure(roots).into_iter();
        let used: Map<_, _> = used.map(|name| (name.to_owned(), schemas[name].clone())).collect();
        let [version, info] = ["openapi", "info"].map(|part| &documents[side][part]);
        json!({
            "openapi": version, "info": info, "paths": paths, "x-handwritten": others,
            "components": { "schemas": used },
        })
    })
}

/// The operations by path and method. One without generated code, for which types are generated, has its name as the method.
fn operations<'d>(document: &'d Value, refused: &[RefusedOperation]) -> Operations<'d> {
    let is_refused = |path: &str, method: &str| {
        refused.iter().any(|refused| refused.path == path && refused.method == method)
    };
    let generated = lower::operations(document).filter(|(path, method, _)| !is_refused(path, method));
    let generated = generated.map(|(path, method, value)| {
        let item = document["paths"][path].as_object().into_iter().flatten();
        let shared = item.map(|(key, part)| (key.as_str(), part));
        let shared = shared.filter(|(key, _)| !lower::METHODS.contains(key)).collect();
        ((path, method), Operation::new(value, shared))
    });
    let others = document.get("x-handwritten").and_then(Value::as_object).into_iter().flatten();
    let others = others.filter(|(_, value)| {
        let [path, method] = ["x-path", "x-method"].map(|part| value[part].as_str().unwrap_or_default());
        !is_refused(path, method)
    });
    let others = others.map(|(name, value)| (("", name.as_str()), Operation::new(value, Vec::new())));
    generated.chain(others).collect()
}

impl<'d> Operation<'d> {
    fn new(value: &'d Value, shared: Vec<(&'d str, &'d Value)>) -> Self {
        let part = |key: &str| value.get(key).map(references).unwrap_or_default();
        let of_path = shared.iter().flat_map(|(_, part)| references(part));
        let requests = of_path.chain(part("parameters")).chain(part("requestBody")).collect();
        Self { value, refers: [requests, part("responses")], shared }
    }
}

impl<'d> Components<'d> {
    fn new(document: &'d Value) -> Self {
        let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
        let schemas: BTreeMap<&str, &Value> =
            schemas.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)).collect();
        let uses = schemas.iter().map(|(name, schema)| (*name, references(schema))).collect();
        Self { schemas, uses }
    }

    /// The existing `roots`, and every component in them.
    fn closure<'n>(&self, roots: impl IntoIterator<Item = &'n String>) -> BTreeSet<&'d str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> = roots.into_iter().map(String::as_str).collect();
        while let Some(name) = open.pop() {
            if let Some((name, uses)) = self.uses.get_key_value(name)
                && found.insert(*name)
            {
                open.extend(uses.iter().map(String::as_str));
            }
        }
        found
    }

    /// These components, and every other one that contains one of them.
    fn using<'n>(&'n self, names: &[&'n str]) -> BTreeSet<&'n str> {
        let mut users = BTreeMap::<&str, Vec<&str>>::new();
        for (name, uses) in &self.uses {
            for used in uses {
                users.entry(used).or_default().push(name);
            }
        }
        let (mut open, mut found) = (names.to_vec(), BTreeSet::new());
        while let Some(name) = open.pop() {
            if found.insert(name) {
                open.extend(users.get(name).into_iter().flatten());
            }
        }
        found
    }
}
