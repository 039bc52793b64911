//! Our judgement beside oasdiff's, for every change in both directions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use xtask::diff::Diff;
use xtask::diff::rules::Level;

use super::every_case;

/// What oasdiff says of a change there and back; recorded by the example `oasdiff` of this package.
#[derive(Deserialize)]
struct Judgement {
    level: Option<String>,
    ids: Vec<String>,
}

#[test]
fn every_difference_from_oasdiff_has_a_stated_reason() {
    let recorded: BTreeMap<String, [Judgement; 2]> =
        serde_json::from_str(include_str!("oasdiff.json")).unwrap();
    let ours = every_case();
    assert!(recorded.keys().eq(ours.keys()), "record oasdiff's judgement anew");
    let mut rows =
        String::from("| change | | ours | oasdiff | why ours differs |\n| --- | --- | --- | --- | --- |\n");
    let (mut same, mut different) = (0, 0);
    for (name, diffs) in ours {
        for ((diff, judgement), way) in diffs.iter().zip(&recorded[name]).zip(["there", "back"]) {
            let level = diff.level().map_or_else(|| "none".to_owned(), |level| level.to_string());
            let other = judgement.level.clone().unwrap_or_else(|| "none".to_owned());
            let reason = if level == other {
                same += 1;
                String::new()
            } else {
                different += 1;
                reason(diff, judgement)
            };
            assert!(level == other || !reason.is_empty(), "{name} {way}: {level}, oasdiff: {other}");
            let other = if judgement.ids.is_empty() {
                other
            } else {
                format!("{other}: {}", judgement.ids.join(", "))
            };
            writeln!(rows, "| {name} | {way} | {level} | {other} | {reason} |").unwrap();
        }
    }
    insta::assert_snapshot!(format!("{same} judgements are the same, {different} differ.\n\n{rows}"));
}

/// Why our level is what it is: the reason of the worst change.
fn reason(diff: &Diff, judgement: &Judgement) -> String {
    match diff.level() {
        None if judgement.ids.is_empty() => String::new(),
        None => "the same data in other words".to_owned(),
        Some(level) => match diff.changes.iter().find(|change| change.level == level) {
            Some(change) => format!("{}: {}", change.id, change.why),
            None if level == Level::Warning => "a part that no rule understands needs a person".to_owned(),
            None => String::new(),
        },
    }
}
