//! Where the configuration check and the document disagree, and why.

/// A finding that only one of them has, and the reason.
///
/// If the crate is stricter, `kind` is the id of a rule. If the document is stricter, it is a keyword of JSON Schema. A field after
/// it limits the disagreement to that field.
pub(super) struct Disagreement {
    pub(super) kind: &'static str,
    pub(super) why: &'static str,
}

pub(super) const DISAGREEMENTS: &[Disagreement] = &[
    Disagreement {
        kind: "unknown-field",
        why: "stricter: the document and the service ignore unknown fields, so that a typo goes unnoticed",
    },
    Disagreement {
        kind: "misplaced-field",
        why: "stricter: like unknown-field; the field has an effect only in another object",
    },
    Disagreement {
        kind: "wrong-mode-field",
        why: "stricter: like unknown-field; the field has an effect only in the other mode",
    },
    Disagreement {
        kind: "duplicate-key",
        why: "stricter: a schema sees only one of the two values, and JSON parsers disagree on which one",
    },
    Disagreement {
        kind: "mode-missing",
        why: "stricter: the mode is optional in the document, and the service derives it only from a voice agent",
    },
    Disagreement {
        kind: "missing-field avatar_persona.voice_settings.provider",
        why: "stricter: the document's oneOf accepts an object without the tag if another field fits only one vendor; how \
              the service handles it is unknown",
    },
    Disagreement {
        kind: "custom-is-lite",
        why: "stricter: CUSTOM is sent as LITE, so that fields of LITE are checked that the early CUSTOM request did not have",
    },
    Disagreement {
        kind: "wrong-type max_session_duration",
        why: "stricter: the document sets no limit, but a number of seconds above 64 bits is a typo",
    },
    Disagreement {
        kind: "format",
        why: "laxer: like Python, the service also reads ids without hyphens, in braces, or with the prefix urn:uuid:",
    },
];
