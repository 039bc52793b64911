//! The lowering: from OpenAPI 3.1 to what progenitor reads.

use serde_json::Value;
use xtask::documents;
use xtask::lower;

use super::committed;
use super::workspace_copy::WorkspaceCopy;

#[test]
fn every_step_changes_the_document_and_then_nothing_more() {
    let mut document = lower::Document(WorkspaceCopy::new().read(documents::CORRECTED));
    for step in lower::STEPS {
        let before = document.0.clone();
        let report = step.apply(&mut document);
        assert!(document.0 != before, "{} changes nothing", step.name);
        assert!(!report.places.is_empty(), "{} does not report what it changes", step.name);
        let lowered = document.0.clone();
        step.apply(&mut document);
        assert!(document.0 == lowered, "{} changes its own result", step.name);
        let stale = step.stale().to_string();
        assert!(stale.contains(step.name) && stale.contains(step.why), "{stale}");
    }
}

#[test]
fn every_step_has_a_unique_name_and_a_reason() {
    let mut names: Vec<_> = lower::STEPS.iter().map(|step| step.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), lower::STEPS.len());
    let list: Vec<_> = lower::STEPS.iter().map(|step| format!("{}: {}", step.name, step.why)).collect();
    insta::assert_snapshot!(list.join("\n"));
}

#[test]
fn the_lowered_document_has_every_operation() {
    let operations = |document: &Value| -> Vec<String> {
        let paths = document["paths"].as_object().unwrap();
        let listed = paths.iter().flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        });
        let multipart = document["x-handwritten"].as_object().into_iter().flatten();
        let multipart = multipart.map(|(_, operation)| {
            format!("{} {}", operation["x-method"].as_str().unwrap(), operation["x-path"].as_str().unwrap())
        });
        let mut all: Vec<_> = listed.chain(multipart).collect();
        all.sort();
        all
    };
    let corrected = operations(&committed(documents::CORRECTED));
    assert_eq!(corrected, operations(&committed(documents::LOWERED)));
    assert_eq!(corrected.len(), liveavatar_api::raw::OPERATIONS.len());
}
