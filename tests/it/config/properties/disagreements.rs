//! Where the configuration check and the document disagree, and why.

/// Something that only one side finds, and the reason.
///
/// If the crate is stricter, `kind` is the id of a rule; if it is laxer, a keyword of JSON Schema. A path after it narrows it
/// down.
pub(super) struct Disagreement {
    pub(super) kind: &'static str,
    pub(super) why: &'static str,
}

pub(super) const DISAGREEMENTS: &[Disagreement] = &[
    Disagreement {
        kind: "unknown-field",
        why: "stricter: the document and the service ignore unknown fields, so a typo would go unnoticed",
    },
    Disagreement {
        kind: "misplaced-field",
        why: "stricter: as unknown-field; the field has an effect only in another object",
    },
    Disagreement {
        kind: "wrong-mode-field",
        why: "stricter: as unknown-field; the field has an effect only in the other mode",
    },
    Disagreement {
        kind: "duplicate-key",
        why: "stricter: a schema sees only one of the two values, and JSON parsers disagree on which",
    },
    Disagreement {
        kind: "mode-missing",
        why: "stricter: the mode is optional in the document, but the service derives it only from a voice agent",
    },
    Disagreement {
        kind: "missing-field avatar_persona.voice_settings.provider",
        why: "stricter: the document's oneOf accepts an object without the tag if another field fits only one vendor; \
              what the service does with it is not known",
    },
    Disagreement {
        kind: "custom-is-lite",
        why: "stricter: CUSTOM is sent as LITE, so LITE fields that the early request did not have are checked",
    },
    Disagreement {
        kind: "wrong-type max_session_duration",
        why: "stricter: the document sets no limit, but a number of seconds above 64 bits is certainly a mistake",
    },
    Disagreement {
        kind: "format",
        why: "laxer: like Python, the service also accepts ids without hyphens, in braces and as urn:uuid:",
    },
];
