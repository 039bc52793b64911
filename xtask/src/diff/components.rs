//! The components: security schemes, and schemas that no operation leads to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::differ::Differ;
use super::findings::{DiffScope, Pair};
use super::{rules, security};
use crate::lower::reached;

/// Compares the components that the operations did not lead to.
pub(super) fn compare(cx: &mut Differ<'_>, scope: &DiffScope) {
    let components = Pair::new("/components", cx.base.get("components"), cx.revision.get("components"));
    for section in components.entries() {
        if !section.values().all(Value::is_object) {
            cx.findings.unhandled(scope, &section);
            continue;
        }
        for pair in section.entries() {
            match section.key {
                "schemas" => {}
                "securitySchemes" => security::scheme(cx, scope, &pair),
                // The operations that refer to it have reported it.
                _ if cx.seen.targets.contains(&pair.pointer) => {}
                _ => cx.findings.unhandled(scope, &pair),
            }
        }
    }
    unreached_schemas(cx, scope);
}

/// Reports schemas that differ and that no pair of operations leads to.
fn unreached_schemas(cx: &mut Differ<'_>, scope: &DiffScope) {
    const SCHEMAS: &str = "/components/schemas";
    let compared: BTreeSet<(&str, &str)> = cx.seen.schemas.keys().map(|(old, new, _)| (*old, *new)).collect();
    let (from_base, from_revision) = (reached(cx.base), reached(cx.revision));
    for pair in Pair::new(SCHEMAS, cx.base.pointer(SCHEMAS), cx.revision.pointer(SCHEMAS)).entries() {
        let name = pair.key;
        let scope = scope.named(format!("schema `{name}`"));
        let (rule, text) = match (pair.before, pair.after) {
            (Some(_), Some(_)) if compared.contains(&(name, name)) => continue,
            (Some(_), Some(_)) => {
                cx.findings.changed(&scope, &rules::UNUSED_CHANGED, "this part", &pair);
                continue;
            }
            // The part that leads to it has reported it.
            (None, _) if from_revision.contains(name) => continue,
            (_, None) if from_base.contains(name) => continue,
            (None, _) => (&rules::UNUSED_ADDED, "did not exist and now does; no operation reaches it"),
            (_, None) => (&rules::UNUSED_REMOVED, "existed and no longer does; no operation reached it"),
        };
        cx.findings.report(&scope, rule, &pair, text);
    }
}
