//! Every judgement that the differ can make: how bad a change is for callers of the crate, and why.
//!
//! A rule judges what a change does to calls and answers. What it does to Rust code is not guessed here: a change that
//! takes an item of the generated code away, or gives it another type, is breaking whatever its rule says.

use std::fmt;

/// How bad a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// News.
    Info,
    /// Works as before, or may not: a person has to look.
    Warning,
    /// Calls that worked fail, answers are lost, or code no longer compiles.
    Breaking,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Breaking => "breaking",
        })
    }
}

/// Which way the changed data travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// From the caller to the service.
    Request,
    /// From the service to the caller.
    Response,
    /// From the service to the caller, in the answer to a failed call.
    Failure,
}

impl Side {
    /// As reports say it: a failed call's answer is an answer.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response | Self::Failure => "response",
        }
    }
}

/// One kind of change and its judgement.
#[derive(Debug)]
pub struct Rule {
    /// The last part of the change's identifier; bounds put their own name in front.
    pub name: &'static str,
    request: Level,
    response: Level,
    /// The reason of the judgement, as a reviewer reads it.
    pub why: &'static str,
}

impl Rule {
    /// How bad the change is for data that travels this way.
    #[must_use]
    pub fn level(&self, side: Option<Side>) -> Level {
        match side {
            None | Some(Side::Request) => self.request,
            Some(Side::Response) => self.response,
            Some(Side::Failure) => self.response.min(Level::Warning),
        }
    }

    /// Why, for data that travels this way.
    #[must_use]
    pub fn reason(&self, side: Option<Side>) -> &'static str {
        match side {
            Some(Side::Failure) if self.response == Level::Breaking => {
                "one error type reads the answers of failed calls, whatever is in them"
            }
            _ => self.why,
        }
    }
}

const TOLERANT: &str =
    "answers are read tolerantly: values, members, fields and bounds that they do not know do no harm";
const REFUSED: &str = "a call that was accepted may be refused";
const MORE: &str = "what was accepted still is";
const KEPT: &str = "an answer keeps all that it promised";
const SERVER_DEFAULT: &str =
    "the client leaves the value out, so the service's new default applies without a change of code";
const DOCUMENTATION: &str = "it becomes documentation and nothing else";
const GONE: &str = "the crate has nothing left to call";
const CREDENTIAL: &str = "the client sends the credential that the document names";
const UNDOCUMENTED: &str = "the service may still take it, but nothing says so";

macro_rules! rules {
    ($($constant:ident = $name:literal, $request:ident, $response:ident, $why:expr;)*) => {
        $(
            pub(super) const $constant: &Rule =
                &Rule { name: $name, request: Level::$request, response: Level::$response, why: $why };
        )*
        /// Every rule.
        pub const ALL: &[&Rule] = &[$($constant),*];
    };
}

rules! {
    // The document.
    OPENAPI_CHANGED = "openapi-version-changed", Info, Info, "the lowering checks what it can read";
    INFO_CHANGED = "api-info-changed", Info, Info, DOCUMENTATION;
    SERVER_ADDED = "server-added", Info, Info, "the client has one address of its own, and callers can set another";
    SERVER_REMOVED = "server-removed", Warning, Warning, "the client's own address may be the one that goes";
    SERVER_CHANGED = "server-changed", Info, Info, DOCUMENTATION;
    TAG_CHANGED = "tag-declaration-changed", Info, Info, DOCUMENTATION;
    SCHEME_ADDED = "security-scheme-added", Info, Info, "nothing has to use it";
    SCHEME_REMOVED = "security-scheme-removed", Breaking, Breaking, CREDENTIAL;
    SCHEME_CHANGED = "security-scheme-changed", Breaking, Breaking, CREDENTIAL;
    UNUSED_ADDED = "unused-component-added", Info, Info, "no operation reaches it, so nothing is generated from it";
    UNUSED_REMOVED = "unused-component-removed", Info, Info, "no operation reached it, so nothing was generated from it";
    UNUSED_CHANGED = "unused-component-changed", Info, Info, "no operation reaches it on both sides, so nothing is generated from it";
    // Operations.
    OPERATION_ADDED = "operation-added", Info, Info, "new code only";
    OPERATION_REMOVED = "operation-removed", Breaking, Breaking, GONE;
    OPERATION_MOVED = "operation-moved", Breaking, Breaking, "released clients call an address that is gone";
    OPERATION_ID = "operation-id-changed", Info, Info, "only a method's name hangs on it, which the Rust items show";
    OPERATION_DEPRECATED = "operation-deprecated", Info, Info, "it still works";
    OPERATION_REACTIVATED = "operation-reactivated", Info, Info, MORE;
    OPERATION_TAG_ADDED = "operation-tag-added", Info, Info, DOCUMENTATION;
    OPERATION_TAG_REMOVED = "operation-tag-removed", Info, Info, DOCUMENTATION;
    PATH_PARAMETER_RENAMED = "path-parameter-renamed", Info, Info, "the address stays the same; the Rust items show the new name";
    SECURITY_ADDED = "security-alternative-added", Info, Info, MORE;
    SECURITY_REMOVED = "security-alternative-removed", Breaking, Breaking, CREDENTIAL;
    // Parameters and bodies.
    PARAMETER_ADDED = "added", Info, Info, MORE;
    PARAMETER_ADDED_REQUIRED = "added-required", Breaking, Breaking, REFUSED;
    PARAMETER_REMOVED = "removed", Warning, Warning, UNDOCUMENTED;
    BECAME_REQUIRED = "became-required", Breaking, Info, "a call without it may be refused; an answer only promises more";
    BECAME_OPTIONAL = "became-optional", Info, Breaking, "a call may leave it out; an answer promises less";
    SERIALIZATION_CHANGED = "serialization-changed", Breaking, Breaking, "the same value is spelt otherwise on the wire";
    BODY_ADDED = "added", Info, Info, MORE;
    BODY_ADDED_REQUIRED = "added-required", Breaking, Breaking, REFUSED;
    BODY_REMOVED = "removed", Breaking, Breaking, "there is nowhere to put what was sent";
    MEDIA_ADDED = "media-type-added", Info, Info, "the one that is used stays";
    MEDIA_REMOVED = "media-type-removed", Breaking, Breaking, "the client speaks the media type that goes";
    // Answers.
    SUCCESS_ADDED = "success-status-added", Info, Info, "any success status is read";
    SUCCESS_REMOVED = "success-status-removed", Breaking, Breaking, "the answer that callers read goes";
    SUCCESS_CHANGED = "success-status-changed", Info, Info, "any success status is read";
    FAILURE_ADDED = "failure-status-added", Info, Info, "one error type reads every failure";
    FAILURE_REMOVED = "failure-status-removed", Info, Info, "one error type reads every failure";
    HEADER_ADDED = "added", Info, Info, KEPT;
    HEADER_REMOVED = "removed", Warning, Warning, "callers can read headers, though no type names them";
    // Schemas.
    TYPE_CHANGED = "type-changed", Breaking, Breaking, "neither old values nor old code fit";
    TYPE_GENERALIZED = "type-generalized", Info, Breaking, "a call may send more; an answer may hold what code cannot read";
    TYPE_SPECIALIZED = "type-specialized", Breaking, Info, "a call may send less; an answer keeps what it promised";
    FORMAT_ADDED = "format-added", Breaking, Info, "texts that were accepted may be refused; answers keep what they promised";
    FORMAT_REMOVED = "format-removed", Info, Breaking, "a call may send more; an answer may hold what code cannot read";
    FORMAT_CHANGED = "format-changed", Breaking, Breaking, "neither old values nor old code fit";
    CONTENT_ENCODING = "content-encoding-changed", Breaking, Breaking, "the same bytes are spelt otherwise";
    BECAME_NULLABLE = "became-nullable", Info, Warning, "a call may send more; answers read a null as missing or empty";
    BECAME_NOT_NULLABLE = "became-not-nullable", Breaking, Info, "a null that was accepted may be refused; an answer promises more";
    ENUM_VALUE_ADDED = "enum-value-added", Info, Info, "a call may send more; enums in answers are open";
    ENUM_VALUE_REMOVED = "enum-value-removed", Breaking, Info, "a call that sends it may be refused; an answer never holds it again";
    BECAME_ENUM = "became-enum", Breaking, Info, "other values may be refused; an answer keeps what it promised";
    BECAME_FREE = "enum-removed", Info, Warning, "a call may send more; an answer may hold values that code never saw";
    LIMIT_TIGHTENED = "tightened", Breaking, Info, "values beyond it may be refused; answers are not checked against limits";
    LIMIT_LOOSENED = "loosened", Info, Info, "a call may send more; answers are not checked against limits";
    PATTERN_ADDED = "pattern-added", Breaking, Info, "texts that were accepted may be refused; answers are not checked";
    PATTERN_CHANGED = "pattern-changed", Warning, Info, "which texts are refused now cannot be told by comparing; answers are not checked";
    PATTERN_REMOVED = "pattern-removed", Info, Info, MORE;
    DEFAULT_CHANGED = "default-changed", Warning, Info, SERVER_DEFAULT;
    PROPERTY_ADDED = "added", Info, Info, "a call may send more; answers ignore fields that they do not know";
    PROPERTY_ADDED_REQUIRED = "added-required", Breaking, Info, "a call without it may be refused; an answer only promises more";
    PROPERTY_REMOVED = "removed", Warning, Breaking, "the service may ignore it without a word; code that reads it finds nothing";
    ADDITIONAL_FORBIDDEN = "additional-properties-forbidden", Breaking, Info, "further fields may be refused; an answer only holds less";
    ADDITIONAL_ALLOWED = "additional-properties-allowed", Info, Info, TOLERANT;
    MEMBER_ADDED = "union-member-added", Info, Info, "a call may send more; unions in answers have room for the unknown";
    MEMBER_REMOVED = "union-member-removed", Breaking, Info, "a call that sends it may be refused; an answer never holds it again";
    UNION_KIND = "union-kind-changed", Info, Info, "members that tell themselves apart mean the same under `anyOf` and `oneOf`";
    PART_ADDED = "all-of-member-added", Breaking, Info, "values may be refused that were accepted; an answer promises more";
    PART_REMOVED = "all-of-member-removed", Info, Breaking, "a call may send more; an answer promises less";
    DISCRIMINATOR = "discriminator-changed", Warning, Warning, "members are told apart by their own tags, which may have changed with it";
    READ_ONLY = "became-read-only", Warning, Info, "the service ignores it when sent";
    NOT_READ_ONLY = "became-not-read-only", Info, Info, MORE;
    WRITE_ONLY = "became-write-only", Info, Breaking, "answers no longer hold it";
    NOT_WRITE_ONLY = "became-not-write-only", Info, Info, MORE;
    DEPRECATED = "deprecated", Info, Info, "it still works";
    REACTIVATED = "reactivated", Info, Info, MORE;
    DOCUMENTATION_CHANGED = "documentation-changed", Info, Info, DOCUMENTATION;
    // Names.
    SCHEMA_RENAMED = "schema-renamed", Info, Info, "the same data under another name; the Rust items show what follows";
    SURFACE_CHANGED = "rust-surface-changed", Info, Info, "the generated code changes although no rule names a cause";
}
