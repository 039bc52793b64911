//! Lowers the corrected OpenAPI 3.1 document to the OpenAPI 3.0.3 subset that progenitor reads.
//!
//! Each quirk of the document has one named step in [`STEPS`]. A step reports what it changed. A step that changes nothing
//! is an error: the quirk is gone, and the step has to go too. A quirk without a step makes progenitor fail, which `regen`
//! tries before it writes.

#![expect(clippy::unnecessary_wraps, reason = "the table needs the same signature for every step")]

mod document;
mod names;
mod operations;
mod replacements;
mod schemas;
mod shape;
mod tolerance;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::TaskError;
use crate::overlay::fingerprint;
pub use document::{Document, closure, reached, references, short_operation_name};
pub(crate) use document::{METHODS, SCHEMA_REF};

/// The crate whose hand-written types the lowered document names through `x-rust-type`.
pub const CRATE: &str = "liveavatar-api";

/// The places that a step changed, one line each.
pub type Places = Vec<String>;

/// A step that removes one quirk of the document.
pub struct LoweringStep {
    /// The name in reports.
    pub name: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    run: fn(&mut Document) -> Result<Places, TaskError>,
}

/// Every step, in the order of execution.
pub const STEPS: &[LoweringStep] = &[
    LoweringStep {
        name: "openapi-version",
        why: "progenitor reads OpenAPI 3.0 only",
        run: operations::version,
    },
    LoweringStep {
        name: "cookie-parameters",
        why: "the login cookie of a browser, which no API client sends; progenitor rejects cookies",
        run: operations::cookie_parameters,
    },
    LoweringStep {
        name: "short-operation-names",
        why: "FastAPI appends path and method to every operationId, and methods are named after it",
        run: operations::short_names,
    },
    LoweringStep {
        name: "optional-bodies",
        why: "progenitor makes every body required; `x-optional-body` records for the client that it is not",
        run: operations::optional_bodies,
    },
    LoweringStep {
        name: "body-defaults",
        why: "progenitor ignores the default of a body; leaving the body out has the same effect",
        run: operations::body_defaults,
    },
    LoweringStep {
        name: "error-responses",
        why: "a typed error per status would lose the status and headers of other failures; one error type reads them all",
        run: operations::error_responses,
    },
    LoweringStep {
        name: "any-success-status",
        why: "a 200 that becomes a 201 is still a success",
        run: operations::any_success_status,
    },
    LoweringStep {
        name: "parameter-defaults",
        why: "a client that sends defaults would freeze those of the server",
        run: operations::parameter_defaults,
    },
    LoweringStep {
        name: "handwritten-multipart",
        why: "progenitor rejects multipart bodies; the operation moves to `x-handwritten`",
        run: operations::handwritten_multipart,
    },
    LoweringStep {
        name: "titles",
        why: "typify names types after titles, and silently merges different schemas with the same title",
        run: schemas::titles,
    },
    LoweringStep {
        name: "parameter-bounds",
        why: "progenitor turns a lower bound into `NonZeroU64` and ignores an upper one; the client checks both",
        run: operations::parameter_bounds,
    },
    LoweringStep {
        name: "descriptions",
        why: "FastAPI docstrings are not rustdoc",
        run: operations::descriptions,
    },
    LoweringStep {
        name: "discriminators",
        why: "progenitor ignores them; tags with a single value distinguish the members",
        run: schemas::discriminators,
    },
    LoweringStep {
        name: "read-only",
        why: "progenitor ignores it, and requests never use these schemas",
        run: schemas::read_only,
    },
    LoweringStep {
        name: "property-names",
        why: "OpenAPI 3.0 does not have the keyword; map keys stay strings",
        run: schemas::property_names,
    },
    LoweringStep {
        name: "null-members",
        why: "OpenAPI 3.0 writes `nullable` instead of a union with null",
        run: schemas::null_members,
    },
    LoweringStep {
        name: "path-nulls",
        why: "a path parameter cannot be null, and progenitor generates code for it that does not compile",
        run: operations::path_nulls,
    },
    LoweringStep {
        name: "null-type",
        why: "OpenAPI 3.0 has no null type; the service may return data there later",
        run: schemas::null_type,
    },
    LoweringStep {
        name: "constants",
        why: "typify silently ignores `const` and accepts any string",
        run: schemas::constants,
    },
    LoweringStep {
        name: "exclusive-bounds",
        why: "numbers in OpenAPI 3.1 are flags in 3.0",
        run: schemas::exclusive_bounds,
    },
    LoweringStep {
        name: "reference-siblings",
        why: "an OpenAPI 3.0 reader ignores everything next to a `$ref`",
        run: schemas::reference_siblings,
    },
    LoweringStep {
        name: "superset-unions",
        why: "if one member has every field of the others, it reads all of them",
        run: schemas::superset_unions,
    },
    LoweringStep {
        name: "any-of",
        why: "typify turns overlapping `anyOf` members into a struct of flattened options",
        run: schemas::any_of,
    },
    LoweringStep {
        name: "split-directions",
        why: "requests are strict and responses are tolerant, so an object in both needs two types",
        run: tolerance::split_directions,
    },
    LoweringStep {
        name: "inline-enums",
        why: "an enum needs a name to be stable and to be wrapped",
        run: schemas::inline_enums,
    },
    LoweringStep {
        name: "property-defaults",
        why: "typify would always send the default and freeze that of the server",
        run: schemas::property_defaults,
    },
    LoweringStep {
        name: "timestamps",
        why: "the service sends times with and without a time zone",
        run: replacements::timestamps,
    },
    LoweringStep {
        name: "secrets",
        why: "generated `Debug` implementations print everything",
        run: replacements::secrets,
    },
    LoweringStep {
        name: "credits",
        why: "credits are exact decimals, sent as strings or numbers",
        run: replacements::credits,
    },
    LoweringStep {
        name: "patch-nulls",
        why: "a PATCH body distinguishes absent, null and a value",
        run: replacements::patch_nulls,
    },
    LoweringStep {
        name: "lenient-responses",
        why: "a response must decode with null or without an optional field",
        run: tolerance::lenient,
    },
    LoweringStep {
        name: "union-catch-alls",
        why: "a response must decode with an unknown union member",
        run: tolerance::union_catch_alls,
    },
    LoweringStep {
        name: "open-enums",
        why: "a response must decode with an unknown enum value",
        run: tolerance::open_enums,
    },
    LoweringStep { name: "pages", why: "one `Page<T>` replaces a type per list", run: replacements::pages },
    LoweringStep {
        name: "envelopes",
        why: "one `Envelope<T>` replaces a type per response",
        run: replacements::envelopes,
    },
    LoweringStep {
        name: "unused-schemas",
        why: "schemas that no operation reaches need no types",
        run: names::unused_schemas,
    },
    LoweringStep { name: "rust-names", why: "`AvatarSchema` becomes `Avatar`", run: names::rust_names },
];

impl LoweringStep {
    /// Applies the step and returns the places that it changed.
    ///
    /// # Errors
    /// When the document does not allow it.
    pub fn apply(&self, document: &mut Document) -> Result<Places, TaskError> {
        (self.run)(document)
    }

    /// The error for a step that changes nothing.
    #[must_use]
    pub fn stale(&self) -> TaskError {
        TaskError::new(
            format!("lowering step `{}` matches nothing\n  reason: {}", self.name, self.why),
            "remove the step from xtask/src/lower/mod.rs, or correct what it looks for",
        )
    }
}

/// A lowered document.
#[derive(Debug)]
pub struct Lowered {
    /// What progenitor reads.
    pub document: Value,
    /// The places that each step changed.
    pub notes: Vec<(&'static str, Places)>,
    /// The steps that changed nothing.
    pub stale: Vec<TaskError>,
    /// The component of the corrected document that each component comes from.
    pub origins: BTreeMap<String, String>,
}

/// Marks the origin of a component while steps rename it. Removed from the result.
const ORIGIN: &str = "x-origin";

/// Runs every step.
///
/// # Errors
/// When the document is not valid OpenAPI, or does not allow a step.
pub fn lower(corrected: &Value) -> Result<Lowered, TaskError> {
    shape::check(corrected)?;
    let mut document = Document(corrected.clone());
    for (name, schema) in document.schemas_mut() {
        // Next to a reference the mark would be a quirk itself.
        if let Some(schema) = schema.as_object_mut().filter(|schema| !schema.contains_key("$ref")) {
            schema.insert(ORIGIN.into(), json!(name));
        }
    }
    let (mut notes, mut stale) = (Vec::new(), Vec::new());
    let mut hash = fingerprint(&document.0);
    for step in STEPS {
        let places = step.apply(&mut document)?;
        let new_hash = fingerprint(&document.0);
        if new_hash == hash {
            stale.push(step.stale());
        }
        hash = new_hash;
        notes.push((step.name, places));
    }
    let mut origins = BTreeMap::new();
    for (name, schema) in document.schemas_mut() {
        if let Some(Value::String(origin)) = schema.as_object_mut().and_then(|schema| schema.remove(ORIGIN)) {
            origins.insert(name.clone(), origin);
        }
    }
    Ok(Lowered { document: document.0, notes, stale, origins })
}

/// The `x-rust-type` of a hand-written type of the crate.
fn rust_type(name: &str, parameters: &[Value]) -> Value {
    json!({
        "crate": CRATE,
        "version": "*",
        "path": format!("{}::{name}", CRATE.replace('-', "_")),
        "parameters": parameters,
    })
}
