//! Steps that rename and remove components.

use std::collections::BTreeMap;

use super::StepReport;
use super::document::{Document, closure, redirect, references};

pub(super) fn unused_schemas(document: &mut Document, report: &mut StepReport) {
    let mut roots = references(&document.0["paths"]);
    roots.extend(references(&document.0["x-handwritten"]));
    let used = closure(document.schemas(), roots);
    let unused: Vec<String> =
        document.schemas().keys().filter(|name| !used.contains(*name)).cloned().collect();
    document.schemas_mut().retain(|name, _| used.contains(name));
    report.places.extend(unused);
}

/// A FastAPI class name without `SDK`, `Schema` and `Enum`.
fn plain(name: &str) -> String {
    let name =
        name.replace("SDKSessionTokenConfigData", "SessionConfig").replace("SDKSessionToken", "SessionToken");
    // The part after the underscore is the name of a hoisted property.
    let (base, property) =
        name.split_once('_').map_or((name.as_str(), None), |(base, rest)| (base, Some(rest)));
    let (base, output) = base.strip_suffix("Output").map_or((base, ""), |base| (base, "Output"));
    let base = base.strip_suffix("Schema").or_else(|| base.strip_suffix("Enum")).unwrap_or(base);
    match property {
        Some(property) => format!("{base}{output}_{property}"),
        None => format!("{base}{output}"),
    }
}

pub(super) fn rust_names(document: &mut Document, report: &mut StepReport) {
    let names: Vec<String> = document.schemas().keys().cloned().collect();
    let mut renamed = BTreeMap::<String, String>::new();
    for name in &names {
        let short = plain(name);
        if short != *name && !names.contains(&short) && !renamed.values().any(|taken| *taken == short) {
            renamed.insert(name.clone(), short);
        }
    }
    let schemas = std::mem::take(document.schemas_mut());
    *document.schemas_mut() = schemas
        .into_iter()
        .map(|(name, schema)| (renamed.get(&name).cloned().unwrap_or(name), schema))
        .collect();
    redirect(&mut document.0, &|name| renamed.get(name).cloned());
    report.places.extend(renamed.into_iter().map(|(old, new)| format!("{old} -> {new}")));
}
