//! The rules that follow from a schema alone.

use std::fmt;

/// What a diagnostic says about its rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleInfo {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// The evidence.
    pub(crate) source: &'static str,
    /// The rule in one sentence.
    pub(crate) text: &'static str,
}

/// How serious a diagnostic is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The service rejects it or silently ignores it.
    Error,
    /// The service accepts it, but it probably has another effect than intended, or its effect is not known.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl RuleInfo {
    const fn error(id: &'static str, source: &'static str, text: &'static str) -> Self {
        Self { id, severity: Severity::Error, source, text }
    }
}

pub(crate) const UNKNOWN_FIELD: RuleInfo = RuleInfo::error(
    "unknown-field",
    "field reports; sdk livekit-plugins-liveavatar",
    "The service silently ignores unknown fields.",
);
pub(crate) const MISPLACED_FIELD: RuleInfo = RuleInfo::error(
    "misplaced-field",
    "field reports",
    "A field has an effect only inside the object that it belongs to.",
);
pub(crate) const MISSING_FIELD: RuleInfo =
    RuleInfo::error("missing-field", "spec", "Required fields are set.");
pub(crate) const WRONG_TYPE: RuleInfo =
    RuleInfo::error("wrong-type", "spec", "A value has the type of its field.");
pub(crate) const NULL_NOT_ALLOWED: RuleInfo =
    RuleInfo::error("null-not-allowed", "spec", "Only nullable fields are null.");
pub(crate) const NOT_ALLOWED_VALUE: RuleInfo =
    RuleInfo::error("not-allowed-value", "spec", "A field with listed values has one of them.");
pub(crate) const UNLISTED_VALUE: RuleInfo = RuleInfo {
    id: "unlisted-value",
    severity: Severity::Warning,
    source: "rule of this crate",
    text: "A value that this version does not know is sent as given.",
};
pub(crate) const OUT_OF_RANGE: RuleInfo =
    RuleInfo::error("out-of-range", "spec", "Numbers and lengths are within their ranges.");
pub(crate) const NOT_A_UUID: RuleInfo =
    RuleInfo::error("not-a-uuid", "spec; field reports", "The service's ids are UUIDs.");
