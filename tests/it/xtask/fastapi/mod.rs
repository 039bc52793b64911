//! Versions of a FastAPI application: every step of the lowering, the generator and the differ handles what FastAPI emits.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use xtask::diff::{self, Diff, generated};
use xtask::lower::{self, Document, Lowered};
use xtask::pipeline::Pipeline;
use xtask::surface::{Surface, SurfaceItem};
use xtask::{corpus, documents, normalise, surface};

use super::{frozen, read};

/// The versions of the document, normalised, the oldest first.
fn versions() -> Vec<Value> {
    let versions = corpus::versions(&documents::root()).unwrap().into_iter();
    versions.map(|version| normalise::normalise(version, "version").unwrap()).collect()
}

/// The oldest version of the document.
pub(super) fn oldest() -> Value {
    versions().swap_remove(0)
}

/// Lowers a document without corrections.
pub(super) fn lowered(document: Value) -> Lowered {
    let document = normalise::normalise(document, "document").unwrap();
    Pipeline::run(document, &json!({ "overlay": "1.0.0", "actions": [] })).unwrap().lowered
}

/// Lowers a document of the service with the corrections.
fn of_service(document: Value) -> Value {
    let overlay = read(&frozen().join(documents::OVERLAY));
    Pipeline::run(normalise::normalise(document, "service").unwrap(), &overlay).unwrap().lowered.document
}

/// Every pair of versions, in both directions, by numbers.
fn pairs() -> BTreeMap<(usize, usize), [Value; 2]> {
    let versions = versions();
    let numbers = 0..versions.len();
    let pairs = numbers.clone().flat_map(|old| numbers.clone().map(move |new| (old, new)));
    let different = pairs.filter(|(old, new)| old != new);
    different.map(|(old, new)| ((old + 1, new + 1), [versions[old].clone(), versions[new].clone()])).collect()
}

#[test]
fn every_version_is_generated_except_for_stated_refusals() {
    let mut shown = String::new();
    for (at, version) in versions().into_iter().enumerate() {
        let lowered = lowered(version);
        let surface = surface::generated(&lowered.document).unwrap();
        let calls = surface.0.keys().filter(|item| matches!(item, SurfaceItem::Call(_))).count();
        writeln!(shown, "v{}: {calls} calls", at + 1).unwrap();
        for refused in &lowered.refused {
            writeln!(shown, "refused: {}", refused.error()).unwrap();
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn every_pair_of_versions_is_compared_completely() {
    let mut shown = String::new();
    for ((old, new), [base, revision]) in pairs() {
        let diff = diff::between(&frozen(), ("base", &base), ("revision", &revision)).unwrap();
        assert_eq!(diff.unhandled, [], "v{old} to v{new}");
        let unexplained = |diff: &Diff| {
            let mut changes = diff.changes.iter();
            changes.find(|change| change.id == "rust-surface-changed").map(|change| change.rust.clone())
        };
        assert_eq!(unexplained(&diff), None, "v{old} to v{new}");
        if new == old + 1 || old == new + 1 {
            writeln!(shown, "# v{old} to v{new}").unwrap();
            for change in &diff.changes {
                writeln!(shown, "{:8} {}", change.level.to_string(), change.text).unwrap();
            }
        }
    }
    insta::assert_snapshot!(shown);
}

/// The items that differ.
fn changes(old: &Surface, new: &Surface) -> BTreeMap<SurfaceItem, [Option<String>; 2]> {
    let items = old.0.keys().chain(new.0.keys());
    let kinds = items.map(|item| (item.clone(), [old, new].map(|side| side.get(item).map(str::to_owned))));
    kinds.filter(|(_, [was, is])| was != is).collect()
}

#[test]
fn operations_without_a_difference_need_no_code() {
    for ((old, new), documents) in pairs() {
        let [base, revision] = documents.map(|document| lowered(document).document);
        let between = |documents: [&Value; 2]| {
            let [old, new] = documents.map(|document| surface::outlined(document).unwrap());
            changes(&old, &new)
        };
        let [less_base, less_revision] = generated::differing([&base, &revision], &[]);
        assert_eq!(between([&less_base, &less_revision]), between([&base, &revision]), "v{old} to v{new}");
    }
}

#[test]
fn the_outline_has_the_items_of_the_code() {
    let service = of_service(read(&frozen().join(documents::UPSTREAM)));
    for document in versions().into_iter().map(|version| lowered(version).document).chain([service]) {
        let [code, outline] =
            [surface::generated(&document), surface::outlined(&document)].map(Result::unwrap);
        assert_eq!(changes(&code, &outline), BTreeMap::new());
    }
}

#[test]
fn a_step_reports_a_place_if_it_changes_the_document() {
    for version in versions() {
        let mut document = Document(version);
        for step in lower::STEPS {
            let before = document.0.clone();
            let report = step.apply(&mut document);
            let reports = !report.places.is_empty() || !report.refused.is_empty();
            assert_eq!(reports, document.0 != before, "{}", step.name);
        }
    }
}

/// Calls `visit` for a value and everything inside it, if it is an object.
fn each_object(value: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            visit(map);
            map.values().for_each(|inner| each_object(inner, visit));
        }
        Value::Array(items) => items.iter().for_each(|inner| each_object(inner, visit)),
        _ => {}
    }
}

/// Every schema of a lowered document that responses contain.
fn response_schemas(document: &Value) -> Vec<Value> {
    let mut responses = Vec::new();
    Document(document.clone())
        .each_operation(|_, _, operation| responses.push(operation["responses"].clone()));
    let roots = responses.iter().flat_map(lower::references).collect();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let components = lower::closure(schemas, roots).into_iter().map(|name| schemas[&name].clone());
    responses.into_iter().chain(components).collect()
}

#[test]
fn a_response_accepts_values_that_the_document_does_not_list() {
    let document = lowered(oldest()).document;
    let mut limits = Vec::new();
    for schema in response_schemas(&document) {
        each_object(&schema, &mut |schema| {
            let is_limited = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"]
                .iter()
                .any(|limit| schema.get(*limit).is_some_and(Value::is_number));
            let is_number = schema.get("type").is_some_and(|kind| kind == "integer" || kind == "number");
            let is_closed = is_number && schema.get("enum").is_some();
            if is_limited || is_closed {
                limits.push(schema.clone());
            }
        });
    }
    assert_eq!(limits, Vec::<Map<_, _>>::new());
    let surface = surface::generated(&document).unwrap();
    let kind = |item: SurfaceItem| surface.get(&item).map(str::to_owned);
    let call = |name: &str| kind(SurfaceItem::Call(name.to_owned()));
    assert_eq!(call("enum_body").as_deref(), Some("OpenEnum<Color>"));
    // Neither member of a union of numbers reads the other, because numbers lack fields.
    assert_eq!(call("numbers").as_deref(), Some("Vec<NumbersResponseItem>"));
    for union in ["GetPetResponse", "UnionResponse", "NumbersResponseItem"] {
        let other = SurfaceItem::Variant(union.to_owned(), "Other".to_owned());
        assert_eq!(kind(other).as_deref(), Some("Value"), "{union}");
    }
}

#[test]
fn a_limit_of_a_parameter_does_not_change_its_type() {
    let document = lowered(oldest()).document;
    let limits = |path: &str, name: &str| {
        let parameters = document["paths"][path].as_object().unwrap().values().next().unwrap()["parameters"]
            .as_array()
            .unwrap();
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        (parameter["schema"]["type"].clone(), parameter["x-bounds"].clone())
    };
    assert_eq!(limits("/v1/filter", "limit"), (json!("integer"), json!({ "minimum": 1, "maximum": 100 })));
    assert_eq!(limits("/v1/list-body", "x"), (json!("integer"), json!({ "minimum": 1, "maximum": 9 })));
}

#[test]
fn what_the_service_sends_to_its_callers_needs_no_code() {
    let surface = surface::generated(&lowered(oldest()).document).unwrap();
    assert_eq!(surface.get(&SurfaceItem::Type("Event".to_owned())), None);
}

#[test]
fn a_keyword_that_openapi_does_not_define_only_describes() {
    let document = lowered(oldest()).document;
    let loose = &document["components"]["schemas"]["Loose"];
    let keys: Vec<_> = loose.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["additionalProperties", "properties", "type"]);
}

#[test]
fn an_operation_has_the_name_of_a_function() {
    let document = lowered(oldest()).document;
    assert_eq!(document["paths"]["/v1/routed/named"]["put"]["operationId"], "custom_name");
}

#[test]
fn a_document_can_contain_several_versions() {
    let service = read(&frozen().join(documents::UPSTREAM));
    let added: usize = versions().into_iter().map(|version| operations(&lowered(version).document)).sum();
    let grown = of_service(corpus::grown(service.clone(), &documents::root()).unwrap());
    assert_eq!(operations(&grown), operations(&of_service(service)) + added);
    surface::outlined(&grown).unwrap();
}

/// The number of operations of a lowered document.
fn operations(document: &Value) -> usize {
    let mut operations = document["x-handwritten"].as_object().map_or(0, Map::len);
    Document(document.clone()).each_operation(|_, _, _| operations += 1);
    operations
}
