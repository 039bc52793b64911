//! Where the check of configurations and the document judge differently, and why.

/// One way to judge differently: what is found, by one side only, and the reason.
///
/// Where the crate is stricter, `kind` is a rule of its table; where it is laxer, a keyword of JSON Schema. A place
/// behind it narrows it down. Kinds that are neither are explained in their reason.
pub(super) struct Disagreement {
    pub(super) kind: &'static str,
    pub(super) why: &'static str,
}

pub(super) const DISAGREEMENTS: &[Disagreement] = &[
    Disagreement {
        kind: "unknown-field",
        why: "stricter: the document and the service ignore fields they do not know, so that nobody notices a typo",
    },
    Disagreement {
        kind: "misplaced-field",
        why: "stricter: as unknown-field, the field has an effect in another object only",
    },
    Disagreement {
        kind: "wrong-mode-field",
        why: "stricter: as unknown-field, the field has an effect in the other mode only",
    },
    Disagreement {
        kind: "duplicate-key",
        why: "stricter: a schema sees one of the two values, and readers of JSON disagree on which",
    },
    Disagreement {
        kind: "mode-missing",
        why: "stricter: by the document the mode is optional; the service derives it of a voice agent alone",
    },
    Disagreement {
        kind: "missing-field avatar_persona.voice_settings.provider",
        why: "stricter: the document's oneOf is satisfied without the tag if another field fits one vendor only; what \
              the service makes of it is not known",
    },
    Disagreement {
        kind: "custom-is-lite",
        why: "stricter: CUSTOM is sent as LITE, so that LITE's fields are judged which the early request had not got",
    },
    Disagreement {
        kind: "wrong-type max_session_duration",
        why: "stricter: the document sets no limit, and a number of seconds beyond 64 bits is a slip of the pen",
    },
    Disagreement {
        kind: "format",
        why: "laxer: the service reads ids as Python does, without hyphens, in braces and as urn:uuid: as well",
    },
];
