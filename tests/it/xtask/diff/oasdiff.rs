//! Our judgement of every change next to that of oasdiff, in both directions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use xtask::diff::Diff;
use xtask::diff::rules::Level;

use super::every_case;

/// The judgement of oasdiff, recorded by the example `oasdiff` of this package.
#[derive(Deserialize)]
struct OasdiffJudgement {
    level: Option<String>,
    ids: Vec<String>,
}

#[test]
fn every_difference_from_oasdiff_has_a_reason() {
    let recorded: BTreeMap<String, [OasdiffJudgement; 2]> =
        serde_json::from_str(include_str!("oasdiff.json")).unwrap();
    let ours = every_case();
    assert!(recorded.keys().eq(ours.keys()), "record the judgements of oasdiff again");
    let mut rows =
        String::from("| change | | ours | oasdiff | why ours differs |\n| --- | --- | --- | --- | --- |\n");
    let (mut same, mut different) = (0, 0);
    for (name, diffs) in ours {
        for ((diff, judgement), way) in diffs.iter().zip(&recorded[name]).zip(["forward", "back"]) {
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
    insta::assert_snapshot!(format!("{same} judgements agree, {different} differ.\n\n{rows}"));
}

/// The reason of our level: that of the worst change.
fn reason(diff: &Diff, judgement: &OasdiffJudgement) -> String {
    match diff.level() {
        None if judgement.ids.is_empty() => String::new(),
        None => "the same data expressed in another way".to_owned(),
        Some(level) => match diff.changes.iter().find(|change| change.level == level) {
            Some(change) => format!("{}: {}", change.id, change.why),
            None if level == Level::Warning => "a part that no rule covers needs a person".to_owned(),
            None => String::new(),
        },
    }
}
