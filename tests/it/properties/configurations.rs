//! The check of configurations against the document's own schemas and the rules.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use liveavatar_api::session::{AnyConfiguration, Diagnostic, Mintable as _, validate};
use proptest::prelude::*;
use serde_json::Value;

use super::disagreements::DISAGREEMENTS;
use super::drafts::{MODES, drafts, members};
use super::json::text_of;
use super::rules::{RULES, broken};
use super::{runner, validator};

/// What the document and the rules find in a configuration, as kinds of [`DISAGREEMENTS`].
struct Judge {
    members: BTreeMap<&'static str, Validator>,
}

impl Judge {
    fn new() -> Self {
        Self { members: members().into_iter().map(|(mode, member)| (mode, validator(member))).collect() }
    }

    fn findings(&self, value: &Value) -> Vec<String> {
        let Some(object) = value.as_object() else { return vec!["type".to_owned()] };
        let agent = object.get("voice_agent").is_some_and(|agent| !agent.is_null());
        let modes = match object.get("mode") {
            Some(mode) => match MODES.iter().find(|name| mode == **name) {
                Some(mode) => vec![*mode],
                None => return vec!["const mode".to_owned()],
            },
            // A voice agent makes it FULL; without one any mode may be meant.
            None if agent => vec!["FULL"],
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

/// The keyword and place of an error; of an alternative, those of the member that was meant.
fn leaves(error: &ValidationError<'_>, found: &mut Vec<String>) {
    let place = error.instance_path().as_str();
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
    {
        let other_type = |error: &ValidationError<'_>| {
            matches!(error.kind(), ValidationErrorKind::Type { .. })
                && error.instance_path().as_str() == place
        };
        let meant =
            context.iter().filter(|errors| !errors.iter().any(other_type)).min_by_key(|errors| errors.len());
        if let Some(meant) = meant {
            return meant.iter().for_each(|error| leaves(error, found));
        }
    }
    let place = place.trim_start_matches('/').replace('/', ".");
    found.push(format!("{} {place}", error.kind().keyword()));
}

/// What the crate finds, as kinds of [`DISAGREEMENTS`].
fn reported(text: &str, mode: Option<&str>) -> Vec<String> {
    let early = &members()["CUSTOM"]["properties"];
    let problems = validate(text);
    let kind = |problem: &Diagnostic| {
        let field = problem.path().split(['.', '[']).next().unwrap_or_default();
        let ignored = ["unknown-field", "misplaced-field", "wrong-mode-field"].contains(&problem.rule());
        if mode == Some("CUSTOM") && !ignored && early.get(field).is_none() {
            return "custom-is-lite".to_owned();
        }
        format!("{} {}", problem.rule(), problem.path())
    };
    // Without a mode the rest is judged by a mode that is guessed.
    if problems.errors().any(|problem| problem.rule() == "mode-missing") {
        return vec!["mode-missing mode".to_owned()];
    }
    problems.errors().map(kind).collect()
}

/// The row that explains a finding of one side only.
fn explanation(finding: &str) -> Option<&'static str> {
    let is_it = |kind: &&str| {
        finding == *kind || finding.strip_prefix(*kind).is_some_and(|rest| rest.starts_with(' '))
    };
    DISAGREEMENTS.iter().map(|row| row.kind).find(is_it)
}

#[test]
fn every_disagreement_with_the_document_and_the_rules_is_explained() {
    let judge = Judge::new();
    let occurred = RefCell::new(BTreeSet::new());
    let alone = RefCell::new(BTreeSet::new());
    let verdicts = RefCell::new(BTreeMap::<_, u32>::new());
    runner(3000)
        .run(&drafts(), |configuration| {
            let text = text_of(&configuration);
            // What a schema sees where a key stands twice.
            let seen: Value = serde_json::from_str(&text).unwrap();
            let ours = reported(&text, seen["mode"].as_str());
            let theirs = judge.findings(&seen);
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
    assert_eq!(occurred.into_inner(), rows, "a row that does not occur any more has to go");
    // A rule that never decides alone is not compared at all.
    let alone = alone.into_inner();
    let idle: Vec<_> = RULES.into_iter().filter(|rule| !alone.contains(*rule)).collect();
    assert!(idle.is_empty(), "{idle:?}");
    // Agreement means little if nearly everything is refused.
    let verdicts = verdicts.into_inner();
    assert!(verdicts[&(true, true)] > 500 && verdicts[&(false, false)] > 500, "{verdicts:?}");
}

#[test]
fn what_the_check_accepts_becomes_a_request_that_the_document_accepts() {
    let members: BTreeMap<_, _> =
        members().into_iter().map(|(mode, member)| (mode, validator(member))).collect();
    runner(2000)
        .run(&drafts(), |configuration| {
            let text = text_of(&configuration);
            let read = AnyConfiguration::from_json(&text);
            let problems = validate(&text);
            prop_assert_eq!(read.is_ok(), !problems.has_errors(), "{}: {:?}", text, read);
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
