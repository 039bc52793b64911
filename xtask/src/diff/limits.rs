//! Keywords that bound a value: `minimum`, `maxLength` and the like.

use serde_json::Value;

use super::findings::{DiffScope, Findings};
use super::rules;
use super::schema::{Schemas, pair};

/// The keyword, its name in identifiers, and whether a higher value allows less.
const LIMITS: &[(&str, &str, bool)] = &[
    ("minimum", "min", true),
    ("maximum", "max", false),
    ("exclusiveMinimum", "exclusive-min", true),
    ("exclusiveMaximum", "exclusive-max", false),
    ("multipleOf", "multiple-of", true),
    ("minLength", "min-length", true),
    ("maxLength", "max-length", false),
    ("minItems", "min-items", true),
    ("maxItems", "max-items", false),
    ("minProperties", "min-properties", true),
    ("maxProperties", "max-properties", false),
];

/// Lower limits of numbers that are never negative.
const SIZES: [&str; 3] = ["minLength", "minItems", "minProperties"];

pub(super) fn is_limit(key: &str) -> bool {
    LIMITS.iter().any(|(limit, ..)| *limit == key)
}

/// Compares all limits of two schemas.
pub(super) fn compare(findings: &mut Findings, scope: &DiffScope, [before, after]: Schemas<'_, '_>) {
    for &(key, name, lower) in LIMITS {
        let pair = pair(key, [before, after]);
        if pair.before == pair.after {
            continue;
        }
        // Every size is at least 0.
        let says_nothing = |limit: &Option<f64>| *limit == Some(0.0) && SIZES.contains(&key);
        let number = |value: Option<&Value>| value.map(Value::as_f64).filter(|limit| !says_nothing(limit));
        let (verb, tightened) = match (number(pair.before), number(pair.after)) {
            (None, Some(Some(_))) => ("added", true),
            (Some(Some(_)), None) => ("removed", false),
            (Some(Some(old)), Some(Some(new))) if new > old => ("increased", lower),
            (Some(Some(old)), Some(Some(new))) if new < old => ("decreased", !lower),
            // The same number in another notation.
            (Some(Some(_)), Some(Some(_))) | (None, None) => continue,
            _ => {
                findings.unhandled(scope, &pair);
                continue;
            }
        };
        let rule = if tightened { &rules::LIMIT_TIGHTENED } else { &rules::LIMIT_LOOSENED };
        findings.changed_as(scope, rule, &format!("{name}-{verb}"), &format!("`{key}`"), &pair);
    }
}
