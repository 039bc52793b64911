//! Reading files and standard input.

use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

use crate::failure::Failure;

pub(crate) fn read_text(path: &Path, what: &'static str) -> Result<String, Failure> {
    let bytes = read_bytes(path, what)?;
    String::from_utf8(bytes).map_err(|_| unreadable(path, what, "it is not valid UTF-8"))
}

pub(crate) fn read_bytes(path: &Path, what: &'static str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    open(path, what)?.read_to_end(&mut bytes).map_err(|error| unreadable(path, what, error))?;
    Ok(bytes)
}

/// Opens a file, or standard input for `-`, which can be opened only once.
pub(crate) fn open(path: &Path, what: &'static str) -> Result<Box<dyn Read + Send>, Failure> {
    static STDIN_USE: OnceLock<&str> = OnceLock::new();
    if path != Path::new("-") {
        let file = std::fs::File::open(path).map_err(|error| unreadable(path, what, error))?;
        return Ok(Box::new(file));
    }
    if STDIN_USE.set(what).is_err() {
        let first = STDIN_USE.get().copied().unwrap_or_default();
        return Err(Failure::usage(
            format!("standard input cannot supply both the {first} and the {what}"),
            "use a file for one of them",
        ));
    }
    Ok(Box::new(std::io::stdin()))
}

/// Returns the name of a file for messages.
pub(crate) fn display_name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn unreadable(path: &Path, what: &str, error: impl std::fmt::Display) -> Failure {
    let name = display_name(path);
    Failure::Usage(format!("failed to read the {what} from {name}: {error}"), None)
}
