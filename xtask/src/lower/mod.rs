//! Lowers the corrected OpenAPI 3.1 document to the OpenAPI 3.0.3 subset that progenitor reads.
//!
//! Each quirk of the document has one named step in [`STEPS`]. A step reports what it changed. A step that changes nothing
//! is an error: the quirk is gone, and the step has to go too. A quirk without a step makes progenitor fail, which `regen`
//! tries before it writes.

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
use crate::workspace::API;
pub use document::{Document, closure, operation_name, reached, references};
pub(crate) use document::{METHODS, SCHEMA_REF, operations};
pub(crate) use schemas::is_keyword;

/// What a step did.
#[derive(Debug, Default)]
pub struct StepReport {
    /// The places that it changed.
    pub places: Vec<String>,
    /// The operations that it cannot lower.
    pub refused: Vec<RefusedOperation>,
}

impl StepReport {
    fn place(&mut self, place: impl Into<String>) {
        self.places.push(place.into());
    }

    fn refuse(&mut self, path: &str, method: &str, problem: String, fix: &str) {
        self.refused.push(RefusedOperation::new(path, method, problem, fix));
    }
}

/// An operation for which no code can be generated.
#[derive(Clone, Debug)]
pub struct RefusedOperation {
    pub(crate) path: String,
    pub(crate) method: String,
    /// Why.
    pub(crate) problem: String,
    fix: String,
}

impl RefusedOperation {
    pub(crate) fn new(path: &str, method: &str, problem: String, fix: &str) -> Self {
        Self { path: path.to_owned(), method: method.to_owned(), problem, fix: fix.to_owned() }
    }

    /// The error that `regen` stops at.
    #[must_use]
    pub fn error(&self) -> TaskError {
        TaskError::new(&*self.problem, &*self.fix)
    }
}

/// A step that removes one quirk of the document.
pub struct LoweringStep {
    /// The name in reports.
    pub name: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    run: fn(&mut Document, &mut StepReport),
}

macro_rules! steps {
    ($($name:literal, $run:expr, $why:literal;)*) => {
        /// Every step, in the order of execution.
        pub const STEPS: &[LoweringStep] = &[$(LoweringStep { name: $name, why: $why, run: $run }),*];
    };
}

// The name, the function, and what goes wrong without the step.
steps! {
    "openapi-version", operations::version, "progenitor reads OpenAPI 3.0 only";
    "cookie-parameters", operations::cookie_parameters, "the login cookie of a browser, which no API client sends; progenitor rejects cookies";
    "short-operation-names", operations::short_names, "FastAPI appends path and method to every operationId, and methods are named after it";
    "optional-bodies", operations::optional_bodies, "progenitor makes every body required; `x-optional-body` records for the client that it is not";
    "body-defaults", operations::body_defaults, "progenitor ignores the default of a body; leaving the body out has the same effect";
    "error-responses", operations::error_responses, "a typed error per status would lose the status and headers of other failures; one error type reads them all";
    "any-success-status", operations::any_success_status, "a 200 that becomes a 201 is still a success";
    "parameter-defaults", operations::parameter_defaults, "a client that sends defaults would freeze those of the server";
    "handwritten-multipart", operations::handwritten_multipart, "progenitor rejects multipart bodies and several media types; JSON stays, or the operation moves to `x-handwritten`";
    "titles", |document, report| schemas::without(document, report, &["title"]), "typify names types after titles, and silently merges different schemas with the same title";
    "descriptions", operations::descriptions, "FastAPI docstrings are not rustdoc";
    "discriminators", |document, report| schemas::without(document, report, &["discriminator"]), "progenitor ignores them; tags with a single value distinguish the members";
    "read-only", |document, report| schemas::without(document, report, &["readOnly"]), "progenitor ignores it, and requests never use these schemas";
    "unchecked-keywords", schemas::unchecked_keywords, "the client checks neither patterns nor duplicates, and OpenAPI 3.0 describes neither tuples, nor the keys of maps, nor the content of texts";
    "null-members", schemas::null_members, "OpenAPI 3.0 writes `nullable` instead of a union with null";
    "parameter-bounds", operations::parameter_bounds, "progenitor turns a lower bound into `NonZeroU64` and ignores an upper one; the client checks both";
    "path-parameters", operations::path_parameters, "a path parameter or header is never null or a list, and a path parameter never missing; progenitor generates code that does not compile, or panics";
    "null-type", schemas::null_type, "OpenAPI 3.0 has no null type; the service may return data there later";
    "constants", schemas::constants, "typify silently ignores `const` and accepts any string";
    "exclusive-bounds", schemas::exclusive_bounds, "numbers in OpenAPI 3.1 are flags in 3.0";
    "reference-siblings", schemas::reference_siblings, "an OpenAPI 3.0 reader ignores everything next to a `$ref`";
    "superset-unions", schemas::superset_unions, "if one member has every field of the others, it reads all of them";
    "any-of", schemas::any_of, "typify turns overlapping `anyOf` members into a struct of flattened options";
    "split-directions", tolerance::split_directions, "requests are strict and responses are tolerant, so an object in both needs two types";
    "inline-enums", schemas::inline_enums, "an enum needs a name to be stable and to be wrapped";
    "property-defaults", schemas::property_defaults, "typify would always send the default and freeze that of the server";
    "timestamps", replacements::timestamps, "the service sends times with and without a time zone";
    "secrets", replacements::secrets, "generated `Debug` implementations print everything";
    "credits", replacements::credits, "credits are exact decimals, sent as strings or numbers";
    "patch-nulls", replacements::patch_nulls, "a PATCH body distinguishes absent, null and a value";
    "lenient-responses", tolerance::lenient, "a response must decode with null or without an optional field";
    "union-catch-alls", tolerance::union_catch_alls, "a response must decode with an unknown union member";
    "open-enums", tolerance::open_enums, "a response must decode with an unknown enum value";
    "pages", replacements::pages, "one `Page<T>` replaces a type per list";
    "envelopes", replacements::envelopes, "one `Envelope<T>` replaces a type per response";
    "unused-schemas", names::unused_schemas, "schemas that no operation reaches need no types";
    "rust-names", names::rust_names, "`AvatarSchema` becomes `Avatar`";
}

impl LoweringStep {
    /// Applies the step, and removes the operations that it cannot lower.
    pub fn apply(&self, document: &mut Document) -> StepReport {
        let mut report = StepReport::default();
        (self.run)(document, &mut report);
        document.remove_operations(&report.refused);
        report
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
    pub notes: Vec<(&'static str, Vec<String>)>,
    /// The steps that changed nothing.
    pub stale: Vec<TaskError>,
    /// The operations that the document lacks, because a step cannot lower them.
    pub refused: Vec<RefusedOperation>,
    /// The component of the corrected document that each component comes from.
    pub origins: BTreeMap<String, String>,
}

/// Marks the origin of a component while steps rename it. Removed from the result.
const ORIGIN: &str = "x-origin";

/// Runs every step.
///
/// # Errors
/// When the document is not valid OpenAPI.
pub fn lower(corrected: &Value) -> Result<Lowered, TaskError> {
    shape::check(corrected)?;
    let mut document = Document(corrected.clone());
    for (name, schema) in document.schemas_mut() {
        // Next to a reference the mark would be a quirk itself.
        if let Some(schema) = schema.as_object_mut().filter(|schema| !schema.contains_key("$ref")) {
            schema.insert(ORIGIN.into(), json!(name));
        }
    }
    // The service sends these requests to its callers, so they need no code.
    document.each_operation(|_, _, operation| {
        operation.remove("callbacks");
    });
    let (mut notes, mut stale, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for step in STEPS {
        let report = step.apply(&mut document);
        if report.places.is_empty() && report.refused.is_empty() {
            stale.push(step.stale());
        }
        notes.push((step.name, report.places));
        refused.extend(report.refused);
    }
    let mut origins = BTreeMap::new();
    for (name, schema) in document.schemas_mut() {
        if let Some(Value::String(origin)) = schema.as_object_mut().and_then(|schema| schema.remove(ORIGIN)) {
            origins.insert(name.clone(), origin);
        }
    }
    Ok(Lowered { document: document.0, notes, stale, refused, origins })
}

/// The `x-rust-type` of a hand-written type of the crate.
fn rust_type(name: &str, parameters: &[Value]) -> Value {
    json!({
        "crate": API,
        "version": "*",
        "path": format!("{}::{name}", API.replace('-', "_")),
        "parameters": parameters,
    })
}
