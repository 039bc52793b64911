//! Random configurations: the check agrees with the document's schemas and with a second implementation of the rules.

mod disagreements;
mod drafts;
mod rules;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use liveavatar_api::session::{AnyConfiguration, Diagnostic, Mintable as _, validate};
use proptest::prelude::*;
use serde_json::Value;

use crate::properties::json::text_of;
use crate::properties::{runner, validator};
use disagreements::DISAGREEMENTS;
use drafts::{MODES, drafts, members};
use rules::{RULES, broken};

/// What the document and the second implementation of the rules find, as kinds of [`DISAGREEMENTS`].
struct Reference {
    members: BTreeMap<&'static str, Validator>,
}

impl Reference {
    fn new() -> Self {
        Self { members: members().into_iter().map(|(mode, member)| (mode, validator(member))).collect() }
    }

    fn findings(&self, value: &Value) -> Vec<String> {
        let Some(object) = value.as_object() else { return vec!["type".to_owned()] };
        let has_agent = object.get("voice_agent").is_some_and(|agent| !agent.is_null());
        let modes = match object.get("mode") {
            Some(mode) => match MODES.iter().find(|name| mode == **name) {
                Some(mode) => vec![*mode],
                None => return vec!["const mode".to_owned()],
            },
            // A voice agent makes it FULL; without one it may be of any mode.
            None if has_agent => vec!["FULL"],
            None => MODES.to_vec(),
        };
        let of_mode = |mode| {
            let mut found = Vec::new();
            self.members[mode].iter_errors(value).for_each(|error| leaves(&error, &mut found));
            found.extend(broken(mode, object).into_iter().map(str::to_owned));
            found
        };
        modes.into_iter().map(of_mode).min_by_key(Vec::len).unwrap_or_default()
    }
}

/// Collects keyword and path of an error; of a union, those of the member with the fewest errors.
fn leaves(error: &ValidationError<'_>, found: &mut Vec<String>) {
    let path = error.instance_path().as_str();
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
    {
        let other_type = |error: &ValidationError<'_>| {
            matches!(error.kind(), ValidationErrorKind::Type { .. }) && error.instance_path().as_str() == path
        };
        let meant =
            context.iter().filter(|errors| !errors.iter().any(other_type)).min_by_key(|errors| errors.len());
        if let Some(meant) = meant {
            return meant.iter().for_each(|error| leaves(error, found));
        }
    }
    let path = path.trim_start_matches('/').replace('/', ".");
    found.push(format!("{} {path}", error.kind().keyword()));
}

/// What the crate finds, as kinds of [`DISAGREEMENTS`].
fn reported(text: &str, mode: Option<&str>) -> Vec<String> {
    let early = &members()["CUSTOM"]["properties"];
    let diagnostics = validate(text);
    let kind = |one: &Diagnostic| {
        let field = one.path().split(['.', '[']).next().unwrap_or_default();
        let is_ignored = ["unknown-field", "misplaced-field", "wrong-mode-field"].contains(&one.rule());
        if mode == Some("CUSTOM") && !is_ignored && early.get(field).is_none() {
            return "custom-is-lite".to_owned();
        }
        format!("{} {}", one.rule(), one.path())
    };
    // Without a mode, the rest is checked for a guessed mode.
    if diagnostics.errors().any(|one| one.rule() == "mode-missing") {
        return vec!["mode-missing mode".to_owned()];
    }
    diagnostics.errors().map(kind).collect()
}

/// The row that explains why only one side finds something.
fn explanation(finding: &str) -> Option<&'static str> {
    let explains = |kind: &&str| {
        finding == *kind || finding.strip_prefix(*kind).is_some_and(|rest| rest.starts_with(' '))
    };
    DISAGREEMENTS.iter().map(|row| row.kind).find(explains)
}

#[test]
fn every_disagreement_with_the_document_and_the_rules_is_explained() {
    let reference = Reference::new();
    let occurred = RefCell::new(BTreeSet::new());
    let alone = RefCell::new(BTreeSet::new());
    let verdicts = RefCell::new(BTreeMap::<_, u32>::new());
    runner(3000)
        .run(&drafts(), |configuration| {
            let text = text_of(&configuration);
            // Of duplicate keys, a schema sees only the last one.
            let seen: Value = serde_json::from_str(&text).unwrap();
            let ours = reported(&text, seen["mode"].as_str());
            let theirs = reference.findings(&seen);
            *verdicts.borrow_mut().entry((ours.is_empty(), theirs.is_empty())).or_default() += 1;
            if let [only] = theirs.as_slice() {
                alone.borrow_mut().insert(only.clone());
            }
            if ours.is_empty() != theirs.is_empty() {
                for finding in ours.iter().chain(&theirs) {
                    let row = explanation(finding);
                    prop_assert!(row.is_some(), "only one side finds {:?} in {}", finding, text);
                    occurred.borrow_mut().extend(row);
                }
            }
            Ok(())
        })
        .unwrap();
    let rows: BTreeSet<_> = DISAGREEMENTS.iter().map(|row| row.kind).collect();
    assert!(
        DISAGREEMENTS.iter().all(|row| row.why.starts_with("stricter: ") || row.why.starts_with("laxer: "))
    );
    assert_eq!(occurred.into_inner(), rows, "remove rows that no longer occur");
    // A rule that is never the only finding is not compared at all.
    let alone = alone.into_inner();
    let idle: Vec<_> = RULES.into_iter().filter(|rule| !alone.contains(*rule)).collect();
    assert!(idle.is_empty(), "{idle:?}");
    // Agreement means little if nearly everything is rejected.
    let verdicts = verdicts.into_inner();
    assert!(verdicts[&(true, true)] > 500 && verdicts[&(false, false)] > 500, "{verdicts:?}");
}

#[test]
fn accepted_configurations_become_requests_that_the_document_accepts() {
    let members: BTreeMap<_, _> =
        members().into_iter().map(|(mode, member)| (mode, validator(member))).collect();
    runner(2000)
        .run(&drafts(), |configuration| {
            let text = text_of(&configuration);
            let read = AnyConfiguration::from_json(&text);
            let diagnostics = validate(&text);
            prop_assert_eq!(read.is_ok(), !diagnostics.has_errors(), "{}: {:?}", text, read);
            if let Ok(read) = read {
                let body = serde_json::to_value(read.body()).unwrap();
                let mode = if read.mode().as_str() == "FULL" { "FULL" } else { "LITE" };
                prop_assert!(members[mode].is_valid(&body), "{} is sent as {}", text, body);
                let written = serde_json::to_string(&read).unwrap();
                prop_assert_eq!(AnyConfiguration::from_json(&written).unwrap(), read);
            }
            Ok(())
        })
        .unwrap();
}
