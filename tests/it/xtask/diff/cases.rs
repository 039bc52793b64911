//! A reviewed report for every change.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use xtask::diff;
use xtask::diff::report::{self, ReportFormat};
use xtask::diff::rules::{self, Level};
use xtask::diff::{Diff, DiffOptions};
use xtask::documents;
use xtask::normalise;
use xtask::source::DocumentSource;

use super::{base, both_ways, changed, changes, every_case};
use crate::xtask::{frozen, reversed, with_shell};

/// Changes that only express the same data in another way.
const NEUTRAL: [&str; 9] = [
    "body-union-reordered",
    "request-constant-spelt-as-enum",
    "request-enum-reordered",
    "request-further-properties-spelt-out",
    "request-property-nullable-spelt-as-a-flag",
    "request-property-nullable-spelt-as-types",
    "required-reordered",
    "schema-renamed-behind-an-envelope",
    "schema-renamed-without-another-type",
];

fn report(diff: &Diff, format: ReportFormat) -> String {
    with_shell(|shell| report::write(diff, format, shell).unwrap()).1
}

#[test]
fn every_change_is_reported_both_ways() {
    let mut silent = Vec::new();
    for (name, diffs) in every_case() {
        let reports = diffs.each_ref().map(|diff| report(diff, ReportFormat::Text));
        insta::assert_snapshot!(format!("change__{name}"), reports.join("\n"));
        if diffs.iter().any(|diff| diff.level().is_none()) {
            silent.push(name.as_str());
        }
    }
    assert_eq!(silent, NEUTRAL);
}

#[test]
fn a_document_does_not_differ_from_itself() {
    let base = base();
    for diff in both_ways(&base, &base) {
        assert_eq!((diff.changes, diff.unhandled, diff.notes), (Vec::new(), Vec::new(), Vec::new()));
    }
}

#[test]
fn the_order_of_keys_is_not_a_difference() {
    let base = base();
    for diff in both_ways(&base, &reversed(&base)) {
        assert_eq!(diff.level(), None, "{diff:?}");
    }
}

#[test]
fn the_order_of_parameters_and_security_alternatives_is_not_a_difference() {
    let base = base();
    let mut reordered = base.clone();
    for item in reordered["paths"].as_object_mut().unwrap().values_mut() {
        for operation in item.as_object_mut().unwrap().values_mut() {
            for key in ["parameters", "security", "tags"] {
                operation
                    .get_mut(key)
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .for_each(|list| list.reverse());
            }
        }
    }
    assert_ne!(base, reordered);
    for diff in both_ways(&base, &reordered) {
        assert_eq!(diff.level(), None, "{diff:?}");
    }
}

#[test]
fn every_change_is_at_a_place_of_one_of_the_documents() {
    let (base, cases) = (base(), changes());
    for (name, diffs) in every_case() {
        let changed = changed(&base, &cases[name]);
        for change in diffs.iter().flat_map(|diff| &diff.changes) {
            let is_there =
                [&base, &changed].iter().any(|document| document.pointer(&change.pointer).is_some());
            assert!(is_there, "{name}: {} at {}", change.id, change.pointer);
        }
    }
}

/// Every sentence of a change, as people read it, and of a part that no rule covers.
fn sentences(diff: &Diff) -> impl Iterator<Item = &str> {
    let changes = diff.changes.iter().filter(|change| !OF_CODE.contains(&change.id.as_str()));
    changes.map(|change| &*change.text).chain(diff.unhandled.iter().map(|part| &*part.text))
}

/// Changes of generated code, which has no values in the documents. The lines below them say what code was and is.
const OF_CODE: [&str; 2] = ["code-not-compared", "rust-surface-changed"];

#[test]
fn every_sentence_says_what_was_and_what_is() {
    const WAS: [&str; 10] =
        ["was", "were", "had", "did", "could", "existed", "allowed", "listed", "accepted", "required"];
    for text in every_case().values().flatten().flat_map(sentences) {
        let (_, sentence) = text.split_once(": ").unwrap();
        let says = |words: &[&str]| sentence.split([' ', ',']).any(|word| words.contains(&word));
        assert!(says(&WAS) && sentence.contains(" and ") && says(&["now", "longer"]), "{text}");
    }
}

#[test]
fn every_change_has_a_reason_and_the_values_that_differ() {
    for diff in every_case().values().flatten() {
        for change in &diff.changes {
            assert!(!change.why.is_empty(), "{change:?}");
            assert!(change.before != change.after || OF_CODE.contains(&change.id.as_str()), "{change:?}");
        }
        for part in &diff.unhandled {
            assert!(!part.why.is_empty() && part.before != part.after, "{part:?}");
        }
    }
}

#[test]
fn what_is_new_does_not_break() {
    for change in every_case().values().flatten().flat_map(|diff| &diff.changes) {
        let is_new =
            ["operation-added", "parameter-added", "property-added"].iter().any(|id| change.id.ends_with(id));
        assert!(!is_new || change.level < Level::Breaking, "{change:?}");
    }
}

#[test]
fn every_rule_is_applied_in_some_case() {
    let changes = every_case().values().flatten().flat_map(|diff| &diff.changes);
    let applied: BTreeSet<&str> = changes.map(|change| change.id.as_str()).collect();
    let unapplied: Vec<&str> = rules::ALL
        .iter()
        .map(|rule| rule.name)
        .filter(|name| {
            // Limits have their own names in identifiers.
            let limit = ["tightened", "loosened"].contains(name);
            !limit && !applied.iter().any(|id| id == name || id.ends_with(&format!("-{name}")))
        })
        .collect();
    assert_eq!(unapplied, Vec::<&str>::new());
    insta::assert_snapshot!(applied.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_fingerprint_depends_on_the_change_only() {
    let (base, cases) = (base(), changes());
    let fingerprint = |base: &Value, name: &str| {
        let [diff, _] = both_ways(base, &changed(base, &cases[name]));
        diff.changes.into_iter().find(|change| !change.id.contains("documentation")).unwrap().fingerprint
    };
    let name = "request-enum-value-added";
    let first = fingerprint(&base, name);
    // Another part of the document has changed too.
    let later = changed(&base, &cases["operation-removed"]);
    assert_eq!(fingerprint(&later, name), first);
    assert_ne!(fingerprint(&base, "request-property-added"), first);
    // Another value in the same place.
    let other =
        json!([{ "op": "add", "path": "/components/schemas/VideoQualityEnum/enum/-", "value": "more" }]);
    let [diff, _] = both_ways(&base, &changed(&base, &serde_json::from_value(other).unwrap()));
    assert_ne!(diff.changes[0].fingerprint, first);
}

fn options(base: DocumentSource, fail_on: Option<Level>) -> DiffOptions {
    DiffOptions { base, revision: None, format: ReportFormat::Text, fail_on }
}

#[test]
fn the_command_compares_with_the_committed_document_and_fails_on_the_given_level() {
    let (base, cases) = (base(), changes());
    let folder = tempfile::tempdir().unwrap();
    let run = |case: Option<&str>, fail_on: Option<Level>| {
        let document = case.map_or_else(|| base.clone(), |case| changed(&base, &cases[case]));
        let path = folder.path().join("older.json");
        std::fs::write(&path, document.to_string()).unwrap();
        let options = options(DocumentSource::File(path), fail_on);
        let (status, output) = with_shell(|shell| diff::run(&frozen(), &options, shell).unwrap());
        assert!(output.contains(&format!("with {}", documents::UPSTREAM)));
        status.exit_code()
    };
    let (info, warning, breaking) = (Some(Level::Info), Some(Level::Warning), Some(Level::Breaking));
    // The committed document is the newer one here, so an added operation is removed.
    let info_case = Some("operation-removed");
    assert_eq!([None, info, warning].map(|level| run(info_case, level)), [0, 1, 0]);
    let breaking_case = Some("operation-added");
    assert_eq!([None, info, warning, breaking].map(|level| run(breaking_case, level)), [0, 1, 1, 1]);
    // An unhandled part counts as a warning.
    let unhandled = Some("operation-extension");
    assert_eq!([info, warning, breaking].map(|level| run(unhandled, level)), [1, 1, 0]);
    assert_eq!(run(None, info), 0);
}

#[test]
fn a_document_that_cannot_be_compared_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.json");
    std::fs::write(&path, r#"{"openapi": "2.0.0", "paths": {}}"#).unwrap();
    let sources = [folder.path().join("absent.json"), path].map(DocumentSource::File);
    let errors = sources.map(|source| {
        let options = options(source, None);
        let (error, _) = with_shell(|shell| diff::run(&frozen(), &options, shell).unwrap_err());
        error.to_string().replace(&folder.path().display().to_string(), "[folder]")
    });
    insta::assert_snapshot!(errors.join("\n"), @"
    cannot read [folder]/absent.json: No such file or directory (os error 2)
      fix: name an existing JSON file
    [folder]/old.json is an OpenAPI 2.0.0 document, not 3.0 or 3.1
      fix: name the service's OpenAPI document
    ");
}

#[test]
fn a_difference_is_written_in_every_format() {
    let (base, cases) = (base(), changes());
    let mut document = changed(&base, &cases["operation-removed"]);
    for name in ["request-enum-value-added", "response-property-renamed", "operation-extension"] {
        document = changed(&document, &cases[name]);
    }
    let [diff, _] = both_ways(&base, &document);
    for format in [ReportFormat::Text, ReportFormat::Json, ReportFormat::Markdown, ReportFormat::Github] {
        insta::assert_snapshot!(format!("format__{format:?}"), report(&diff, format));
    }
}

/// A browser opens this snapshot in `tests/conformance/run pages`.
#[test]
fn the_page_shows_every_level_and_shared_changes() {
    let (base, cases) = (base(), changes());
    let names = [
        "operation-removed",
        "operation-description",
        "operation-extension",
        "query-parameter-removed",
        "request-enum-value-added",
        "response-property-renamed",
        "server-replaced",
    ];
    let mut document = names.iter().fold(base.clone(), |document, name| changed(&document, &cases[*name]));
    document["paths"]["/v1/voices"]["get"]["summary"] = json!(HOSTILE);
    let [diff, _] = both_ways(&base, &document);
    insta::assert_binary_snapshot!("page.html", report(&diff, ReportFormat::Html).into_bytes());
}

/// Would run a script if a page did not escape it.
const HOSTILE: &str =
    "</code></pre><script>alert(1)</script><img src=x onerror=\"alert(1)\"> ` & ' \u{202e}\u{0}";

#[test]
fn texts_of_a_document_add_no_elements_to_the_page() {
    let document = |text: &str| {
        let schema = json!({ "type": "string", "description": text, "enum": [text] });
        normalise::normalise(
            json!({
                "openapi": "3.1.0",
                "info": { "title": text, "version": "1" },
                "x-other": text,
                "paths": { format!("/{text}"): { "get": {
                    "operationId": text,
                    "summary": text,
                    "parameters": [{ "in": "query", "name": text, "schema": schema }],
                    "responses": { text: { "description": text } },
                } } },
                "components": { "schemas": { text: schema } },
            }),
            "document",
        )
        .unwrap()
    };
    let page = |text: &str| {
        let mut diff = diff::documents(&document("before"), &document(text));
        (diff.base, diff.notes) = (text.to_owned(), vec![text.to_owned()]);
        for change in &mut diff.changes {
            change.rust.push(text.to_owned());
        }
        report(&diff, ReportFormat::Html)
    };
    let elements = |page: &str| -> BTreeSet<String> {
        let ends = |c: char| c == '>' || c.is_whitespace();
        page.split('<').skip(1).map(|rest| rest.split(ends).next().unwrap().to_owned()).collect()
    };
    let page_of_hostile = page(HOSTILE);
    assert_eq!(elements(&page_of_hostile), elements(&page("after")));
    assert!(page_of_hostile.contains(r"&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page_of_hostile.contains(r"\u{202e}\u{0}") && !page_of_hostile.contains('\u{202e}'));
}
