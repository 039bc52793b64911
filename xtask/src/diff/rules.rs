//! Every judgement of the differ: how bad a change is for callers of the crate, and why.
//!
//! A rule judges what a change does to requests and responses. What it does to Rust code is read from the generated code:
//! a change that removes an item, or changes its type, is breaking even if its rule is milder.

use std::fmt;

/// How bad a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Callers need not act.
    Info,
    /// May break callers: a person has to decide.
    Warning,
    /// Calls that worked fail, responses lose data, or code no longer compiles.
    Breaking,
}

impl Level {
    /// Every level, the worst first.
    pub const ALL: [Self; 3] = [Self::Breaking, Self::Warning, Self::Info];
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

/// The direction in which the changed data travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiffSide {
    /// From the caller to the service.
    Request,
    /// From the service to the caller.
    Response,
    /// From the service to the caller, in the response to a failed call.
    Failure,
}

impl DiffSide {
    /// The name in reports, which do not distinguish failures from other responses.
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
pub struct DiffRule {
    /// The last part of the change's identifier. Limits put their own name there instead.
    pub name: &'static str,
    request: Level,
    response: Level,
    why_request: &'static str,
    why_response: &'static str,
}

impl DiffRule {
    pub(super) fn is(&self, other: &DiffRule) -> bool {
        std::ptr::eq(self, other)
    }

    /// How bad the change is for data of this side.
    #[must_use]
    pub fn level(&self, side: Option<DiffSide>) -> Level {
        match side {
            None | Some(DiffSide::Request) => self.request,
            Some(DiffSide::Response) => self.response,
            Some(DiffSide::Failure) => self.response.min(Level::Warning),
        }
    }

    /// Why, for data of this side.
    #[must_use]
    pub fn reason(&self, side: Option<DiffSide>) -> &'static str {
        match side {
            Some(DiffSide::Failure) if self.response == Level::Breaking => {
                "one error type reads the responses of all failed calls"
            }
            Some(DiffSide::Response | DiffSide::Failure) => self.why_response,
            None | Some(DiffSide::Request) => self.why_request,
        }
    }
}

const TOLERANT: &str = "responses are read tolerantly: unknown fields are ignored";
const REJECTED: &str = "the service may reject a call that it accepted before";
const ACCEPTED: &str = "everything that was accepted before still is";
const SERVER_DEFAULT: &str =
    "the client leaves the value out, so the service's new default takes effect without a code change";
const DOCUMENTATION: &str = "only documentation is generated from it";
const CREDENTIAL: &str = "the client sends the credential that the document names";

/// Why a part without a rule counts as a warning.
pub(super) const UNHANDLED: &str = "no rule covers it, so a person has to judge it";

macro_rules! rules {
    ($($constant:ident = $name:literal, $request:ident, $response:ident, $why:expr $(, $why_response:expr)?;)*) => {
        $(
            pub(super) static $constant: DiffRule = DiffRule {
                name: $name,
                request: Level::$request,
                response: Level::$response,
                why_request: $why,
                why_response: [$($why_response,)? $why][0],
            };
        )*
        /// Every rule.
        pub static ALL: &[&DiffRule] = &[$(&$constant),*];
    };
}

// The headings name the module that applies the rules. Each rule has the level for requests and the level for responses,
// then one reason for both, or one for each.
rules! {
    // document.rs
    OPENAPI_CHANGED = "openapi-version-changed", Info, Info, "the lowering checks that it can read the document";
    INFO_CHANGED = "api-info-changed", Info, Info, DOCUMENTATION;
    SERVER_ADDED = "server-added", Info, Info, "the client has its own base URL, and callers can set another one";
    SERVER_REMOVED = "server-removed", Warning, Warning, "the client's own base URL may be the one that is removed";
    SERVER_CHANGED = "server-changed", Info, Info, DOCUMENTATION;
    TAG_CHANGED = "tag-declaration-changed", Info, Info, DOCUMENTATION;
    // security.rs
    SCHEME_ADDED = "security-scheme-added", Info, Info, "no operation has to use it";
    SCHEME_REMOVED = "security-scheme-removed", Breaking, Breaking, CREDENTIAL;
    SCHEME_CHANGED = "security-scheme-changed", Breaking, Breaking, CREDENTIAL;
    SCHEME_UNUSED_REMOVED = "unused-security-scheme-removed", Info, Info, "no operation used it";
    SECURITY_ADDED = "security-alternative-added", Info, Info, ACCEPTED;
    SECURITY_REMOVED = "security-alternative-removed", Breaking, Breaking, CREDENTIAL;
    SECURITY_UNNEEDED = "security-alternative-unneeded", Info, Info, "a looser alternative accepts every call that this one accepted";
    // components.rs
    UNUSED_ADDED = "unused-component-added", Info, Info, "nothing is generated from a schema that no operation reaches";
    UNUSED_REMOVED = "unused-component-removed", Info, Info, "nothing was generated from a schema that no operation reached";
    UNUSED_CHANGED = "unused-component-changed", Info, Info, "nothing is generated from a schema that no operation reaches";
    // operation.rs
    OPERATION_ADDED = "operation-added", Info, Info, "it only adds code";
    OPERATION_REMOVED = "operation-removed", Breaking, Breaking, "callers lose the method";
    OPERATION_MOVED = "operation-moved", Breaking, Breaking, "released clients call the old address";
    OPERATION_ID = "operation-id-changed", Info, Info, "only the method is named after it, which the Rust items show";
    OPERATION_DEPRECATED = "operation-deprecated", Info, Info, "it still works";
    OPERATION_REACTIVATED = "operation-reactivated", Info, Info, ACCEPTED;
    OPERATION_TAG_ADDED = "operation-tag-added", Info, Info, DOCUMENTATION;
    OPERATION_TAG_REMOVED = "operation-tag-removed", Info, Info, DOCUMENTATION;
    PATH_PARAMETER_RENAMED = "path-parameter-renamed", Info, Info, "the address is the same; the Rust items show the new name";
    PARAMETER_ADDED = "added", Info, Info, ACCEPTED;
    PARAMETER_ADDED_REQUIRED = "added-required", Breaking, Breaking, REJECTED;
    PARAMETER_REMOVED = "removed", Warning, Warning, "the service may still accept it, but does not document it";
    SERIALIZATION_CHANGED = "serialization-changed", Breaking, Breaking, "the same value is encoded differently";
    // body.rs
    BODY_ADDED = "added", Info, Info, ACCEPTED;
    BODY_ADDED_REQUIRED = "added-required", Breaking, Breaking, REJECTED;
    BODY_REMOVED = "removed", Breaking, Breaking, "callers can no longer send its data";
    MEDIA_ADDED = "media-type-added", Info, Info, "the client keeps using the one that it knows";
    MEDIA_REMOVED = "media-type-removed", Breaking, Breaking, "the client may use the media type that is removed";
    // response.rs
    SUCCESS_ADDED = "success-status-added", Info, Info, "the client reads any success status";
    SUCCESS_REMOVED = "success-status-removed", Breaking, Breaking, "callers lose the response that they read";
    SUCCESS_CHANGED = "success-status-changed", Info, Info, "the client reads any success status";
    FAILURE_ADDED = "failure-status-added", Info, Info, "one error type reads every failure";
    FAILURE_REMOVED = "failure-status-removed", Info, Info, "one error type reads every failure";
    HEADER_ADDED = "added", Info, Info, "a response keeps everything that it had";
    HEADER_REMOVED = "removed", Warning, Warning, "callers may read the header, although no type names it";
    // schema.rs
    TYPE_CHANGED = "type-changed", Breaking, Breaking, "neither old values nor old code fit the new type";
    TYPE_GENERALIZED = "type-generalized", Info, Breaking, "a request may send more", "a response may hold values that code cannot read";
    TYPE_SPECIALIZED = "type-specialized", Breaking, Info, "the service may reject values that it accepted before", "a response holds fewer kinds of values";
    FORMAT_ADDED = "format-added", Breaking, Info, "the service may reject texts that it accepted before", "a response holds fewer kinds of texts";
    FORMAT_REMOVED = "format-removed", Info, Breaking, "a request may send more", "a response may hold texts that code cannot read";
    FORMAT_CHANGED = "format-changed", Breaking, Breaking, "neither old values nor old code fit the new format";
    CONTENT_ENCODING = "content-encoding-changed", Breaking, Breaking, "the same bytes are encoded differently";
    BECAME_NULLABLE = "became-nullable", Info, Warning, "a request may send more", "in a response, null reads as missing or empty";
    BECAME_NOT_NULLABLE = "became-not-nullable", Breaking, Info, "the service may reject a null that it accepted before", "a response promises more";
    ENUM_VALUE_ADDED = "enum-value-added", Info, Info, "a request may send more", "enums in responses keep unknown values";
    ENUM_VALUE_REMOVED = "enum-value-removed", Breaking, Info, "the service may reject a call that sends the value", "responses no longer hold it";
    BECAME_ENUM = "became-enum", Breaking, Info, "the service may reject other values", "a response holds fewer values";
    BECAME_FREE = "enum-removed", Info, Warning, "a request may send more", "a response may hold values that code does not know";
    UNIQUE_ADDED = "unique-items-added", Breaking, Info, "the service may reject a list with duplicates", "responses are not checked";
    UNIQUE_REMOVED = "unique-items-removed", Info, Info, ACCEPTED;
    PATTERN_ADDED = "pattern-added", Breaking, Info, "the service may reject texts that it accepted before", "responses are not checked";
    PATTERN_CHANGED = "pattern-changed", Warning, Info, "comparing patterns does not tell which texts are rejected", "responses are not checked";
    PATTERN_REMOVED = "pattern-removed", Info, Info, ACCEPTED;
    DEFAULT_CHANGED = "default-changed", Warning, Info, SERVER_DEFAULT;
    READ_ONLY = "became-read-only", Warning, Info, "the service ignores it in requests";
    NOT_READ_ONLY = "became-not-read-only", Info, Info, ACCEPTED;
    WRITE_ONLY = "became-write-only", Info, Breaking, "responses no longer hold it";
    NOT_WRITE_ONLY = "became-not-write-only", Info, Info, ACCEPTED;
    REFERENCE_CHANGED = "reference-changed", Info, Info, "the data is the same under another name; the Rust items show the effect";
    // limits.rs
    LIMIT_TIGHTENED = "tightened", Breaking, Info, "the service may reject values beyond the limit", "responses are not checked against limits";
    LIMIT_LOOSENED = "loosened", Info, Info, "a request may send more", "responses are not checked against limits";
    // properties.rs
    PROPERTIES_DESCRIBED = "properties-described", Info, Info, "the data may be the same; the Rust items show the effect";
    PROPERTY_ADDED = "added", Info, Info, "a request may send more", "unknown fields in responses are ignored";
    PROPERTY_ADDED_REQUIRED = "added-required", Breaking, Info, "the service may reject a call without it", "a response promises more";
    PROPERTY_REMOVED = "removed", Warning, Breaking, "the service may silently ignore it", "code that reads it finds nothing";
    ADDITIONAL_FORBIDDEN = "additional-properties-forbidden", Breaking, Info, "the service may reject additional properties", "a response holds fewer";
    ADDITIONAL_ALLOWED = "additional-properties-allowed", Info, Info, TOLERANT;
    // unions.rs
    MEMBER_ADDED = "union-member-added", Info, Info, "a request may send more", "unions in responses keep unknown members";
    MEMBER_REMOVED = "union-member-removed", Breaking, Info, "the service may reject a call that sends it", "responses no longer hold it";
    UNION_KIND = "union-kind-changed", Info, Info, "`anyOf` and `oneOf` mean the same for members that exclude each other";
    PART_ADDED = "all-of-member-added", Breaking, Info, "the service may reject values that it accepted before", "a response promises more";
    PART_REMOVED = "all-of-member-removed", Info, Breaking, "a request may send more", "a response promises less";
    DISCRIMINATOR = "discriminator-changed", Warning, Warning, "members are distinguished by their own tags, which may have changed too";
    // findings.rs: keywords that several parts of a document have
    BECAME_REQUIRED = "became-required", Breaking, Info, "the service may reject a call without it", "a response promises more";
    BECAME_OPTIONAL = "became-optional", Info, Breaking, "a request may leave it out", "a response promises less";
    DEPRECATED = "deprecated", Info, Info, "it still works";
    REACTIVATED = "reactivated", Info, Info, ACCEPTED;
    DOCUMENTATION_CHANGED = "documentation-changed", Info, Info, DOCUMENTATION;
    // rust.rs
    NOT_COMPARED = "code-not-compared", Warning, Warning, "a person has to compare what callers use of it";
    SURFACE_CHANGED = "rust-surface-changed", Info, Info, "the generated code changes, but no rule names a cause";
}
