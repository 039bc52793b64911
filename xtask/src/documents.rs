//! Where the committed documents are, below the workspace's root.

use std::path::{Path, PathBuf};

/// The service's document, normalised: the source of truth.
pub const UPSTREAM: &str = "openapi/upstream.json";
/// Our corrections.
pub const OVERLAY: &str = "openapi/overlay.json";
/// The lowered document.
pub const LOWERED: &str = "openapi/liveavatar-v1.json";
/// The copy inside the crate: a package holds only files of its folder, and some machines do not have symlinks.
pub const PACKAGED: &str = "liveavatar-api/openapi/liveavatar-v1.json";
/// The corrected 3.1 document inside the crate, for session configurations and the mock service.
pub const CORRECTED: &str = "liveavatar-api/openapi/service.json";
/// The folder inside the crate with the files that its build generates, for builds without the generator.
pub const GENERATED: &str = "liveavatar-api/generated";
/// The log of the API's changes.
pub const CHANGES: &str = "openapi/CHANGES.md";

/// The root folder of the workspace that this program was built in.
#[must_use]
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}
