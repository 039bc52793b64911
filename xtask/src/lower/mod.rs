//! Lowers the corrected OpenAPI 3.1 document to the OpenAPI 3.0.3 subset that progenitor reads.
//!
//! One quirk of the document is one named step in [`STEPS`]. A step says what it changed, and one that changes nothing is
//! told: the quirk is gone and the step should go too. A quirk that no step knows makes progenitor fail, which
//! `regen` tries before it writes.

#![expect(clippy::unnecessary_wraps, reason = "every step has the one signature that the table needs")]

mod answers;
mod document;
mod generics;
mod names;
mod operations;
mod schemas;
mod shape;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::overlay::fingerprint;
pub use document::{Document, closure, reached, references, short_operation_name};

/// The crate whose hand-written types the lowered document names through `x-rust-type`.
pub const CRATE: &str = "liveavatar-api";

/// What a step changed, one line per place.
pub type Applied = Vec<String>;

/// What every step changed, by the step's name.
pub type Notes = Vec<(&'static str, Applied)>;

/// One quirk of the document and its cure.
pub struct Step {
    /// The step's name in reports.
    pub name: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    run: fn(&mut Document) -> Result<Applied, Failure>,
}

/// Every step, in the order in which they run.
pub const STEPS: &[Step] = &[
    Step { name: "openapi-version", why: "progenitor reads OpenAPI 3.0 only", run: operations::version },
    Step {
        name: "cookie-parameters",
        why: "a browser's login cookie, never sent by an API client; progenitor refuses cookies",
        run: operations::cookie_parameters,
    },
    Step {
        name: "short-operation-names",
        why: "FastAPI appends path and method to every operationId, which would become the method's name",
        run: operations::short_names,
    },
    Step {
        name: "optional-bodies",
        why: "progenitor makes every body required; the fact is kept in `x-optional-body` for the transport",
        run: operations::optional_bodies,
    },
    Step {
        name: "body-defaults",
        why: "progenitor ignores a body's default; leaving the body out has the same effect on the server",
        run: operations::body_defaults,
    },
    Step {
        name: "error-answers",
        why: "a typed error per status loses status and headers of every other failure; one error type reads them all",
        run: operations::error_answers,
    },
    Step {
        name: "any-success-status",
        why: "a 200 that becomes a 201 is no failure",
        run: operations::any_success_status,
    },
    Step {
        name: "parameter-defaults",
        why: "a default sent by the client would freeze the server's",
        run: operations::parameter_defaults,
    },
    Step {
        name: "handwritten-multipart",
        why: "progenitor refuses multipart bodies; the operation is recorded under `x-handwritten`",
        run: operations::handwritten_multipart,
    },
    Step {
        name: "titles",
        why: "typify names types after titles and merges different schemas of one title without a word",
        run: schemas::titles,
    },
    Step {
        name: "parameter-bounds",
        why: "progenitor makes a `NonZeroU64` of a lower bound and ignores an upper one; the transport checks both",
        run: operations::parameter_bounds,
    },
    Step { name: "descriptions", why: "FastAPI docstrings are not rustdoc", run: operations::descriptions },
    Step {
        name: "discriminators",
        why: "ignored; single-value tags tell the members apart",
        run: schemas::discriminators,
    },
    Step { name: "read-only", why: "ignored, and the same schema is never sent", run: schemas::read_only },
    Step {
        name: "property-names",
        why: "OpenAPI 3.0 has no such keyword; map keys stay text",
        run: schemas::property_names,
    },
    Step {
        name: "null-members",
        why: "OpenAPI 3.0 says `nullable` for a union with null",
        run: schemas::null_members,
    },
    Step {
        name: "path-nulls",
        why: "a part of a path cannot be null, and progenitor makes code of it that does not compile",
        run: operations::path_nulls,
    },
    Step {
        name: "null-type",
        why: "OpenAPI 3.0 has no type null; data may appear there one day",
        run: schemas::null_type,
    },
    Step {
        name: "constants",
        why: "typify ignores `const` without a word and accepts any text",
        run: schemas::constants,
    },
    Step { name: "exclusive-bounds", why: "a number in 3.1, a flag in 3.0", run: schemas::exclusive_bounds },
    Step {
        name: "reference-siblings",
        why: "a 3.0 reader drops what stands beside a `$ref`",
        run: schemas::reference_siblings,
    },
    Step {
        name: "superset-unions",
        why: "where one member has every field of the other, the larger one reads both",
        run: schemas::superset_unions,
    },
    Step {
        name: "any-of",
        why: "typify turns overlapping anyOf members into a struct of flattened options",
        run: schemas::any_of,
    },
    Step {
        name: "split-directions",
        why: "what is sent is strict and what is received is tolerant, so a shared object needs two types",
        run: answers::split_directions,
    },
    Step {
        name: "inline-enums",
        why: "an enum needs a name of its own to be stable and to be wrapped",
        run: schemas::inline_enums,
    },
    Step {
        name: "property-defaults",
        why: "typify would always send the default, so that the client freezes the server's",
        run: schemas::property_defaults,
    },
    Step {
        name: "timestamps",
        why: "the server sends times with and without a zone",
        run: generics::timestamps,
    },
    Step { name: "secrets", why: "generated `Debug` prints everything", run: generics::secrets },
    Step {
        name: "credits",
        why: "money is an exact decimal, sent as text or number",
        run: generics::credits,
    },
    Step {
        name: "patch-nulls",
        why: "in a PATCH body, absent, null and a value are three things",
        run: generics::patch_nulls,
    },
    Step {
        name: "lenient-answers",
        why: "an answer with null or without a field that may be missing must decode",
        run: answers::lenient,
    },
    Step {
        name: "union-catch-alls",
        why: "an answer with a union member of tomorrow must decode",
        run: answers::union_catch_alls,
    },
    Step {
        name: "open-enums",
        why: "an answer with an enum value of tomorrow must decode",
        run: answers::open_enums,
    },
    Step { name: "pages", why: "one `Page<T>` in place of a type per list", run: generics::pages },
    Step {
        name: "envelopes",
        why: "one `Envelope<T>` in place of a type per answer",
        run: generics::envelopes,
    },
    Step { name: "unused-schemas", why: "what no operation reaches is no type", run: names::unused_schemas },
    Step { name: "rust-names", why: "`AvatarSchema` is `Avatar`", run: names::rust_names },
];

impl Step {
    /// Applies the step and says what it changed.
    ///
    /// # Errors
    /// When it cannot do what it is for.
    pub fn apply(&self, document: &mut Document) -> Result<Applied, Failure> {
        (self.run)(document)
    }

    /// What to say when the step changes nothing.
    #[must_use]
    pub fn stale(&self) -> Failure {
        Failure::new(
            format!("lowering step `{}` matches nothing\n      reason: {}", self.name, self.why),
            "remove the step from xtask/src/lower/mod.rs, or mend what it looks for",
        )
    }
}

/// A lowered document.
#[derive(Debug)]
pub struct Lowered {
    /// What progenitor reads.
    pub document: Value,
    /// What every step changed.
    pub notes: Notes,
    /// The steps that changed nothing.
    pub stale: Vec<Failure>,
    /// The component of the corrected document that each component comes from.
    pub origins: BTreeMap<String, String>,
}

/// The mark by which a component's origin is known through all renaming; never part of the result.
const ORIGIN: &str = "x-origin";

/// Runs every step.
///
/// # Errors
/// When the document is none, or a step cannot do what it is for.
pub fn lower(corrected: &Value) -> Result<Lowered, Failure> {
    shape::check(corrected)?;
    let mut document = Document(corrected.clone());
    for (name, schema) in document.schemas_mut() {
        // Beside a reference the mark would be a quirk to be cured.
        if let Some(schema) = schema.as_object_mut().filter(|schema| !schema.contains_key("$ref")) {
            schema.insert(ORIGIN.into(), json!(name));
        }
    }
    let (mut notes, mut stale) = (Notes::new(), Vec::new());
    let mut hash = fingerprint(&document.0);
    for step in STEPS {
        let applied = step.apply(&mut document)?;
        let now = fingerprint(&document.0);
        if now == hash {
            stale.push(step.stale());
        }
        hash = now;
        notes.push((step.name, applied));
    }
    let mut origins = BTreeMap::new();
    for (name, schema) in document.schemas_mut() {
        if let Some(Value::String(origin)) = schema.as_object_mut().and_then(|schema| schema.remove(ORIGIN)) {
            origins.insert(name.clone(), origin);
        }
    }
    Ok(Lowered { document: document.0, notes, stale, origins })
}

/// An `x-rust-type` that names a hand-written type of the crate.
fn rust_type(name: &str, parameters: &[Value]) -> Value {
    json!({
        "crate": CRATE,
        "version": "*",
        "path": format!("{}::{name}", CRATE.replace('-', "_")),
        "parameters": parameters,
    })
}
