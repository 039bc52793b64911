//! Where a document comes from: a file or a URL.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::error::TaskError;

/// The URL under which the service publishes its document.
pub const PUBLISHED: &str = "https://docs.liveavatar.com/openapi.json";

/// Time limit of a whole download.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// A hundred times the 160 kB of the published document: anything larger is something else.
const SIZE_MAX: u64 = 16 * 1024 * 1024;

/// A place to read a document from.
#[derive(Clone, Debug)]
pub enum DocumentSource {
    /// A file on this machine.
    File(PathBuf),
    /// An `http` or `https` URL.
    Url(String),
}

impl From<&str> for DocumentSource {
    /// Anything that does not start like a URL is a path.
    fn from(text: &str) -> Self {
        let url = text.starts_with("http://") || text.starts_with("https://");
        if url { Self::Url(text.to_owned()) } else { Self::File(PathBuf::from(text)) }
    }
}

impl DocumentSource {
    /// The name used in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url) => url.clone(),
        }
    }

    /// Reads and parses the JSON.
    ///
    /// # Errors
    /// When it cannot be read or is not JSON.
    pub fn read(&self) -> Result<Value, TaskError> {
        let name = self.name();
        let text = match self {
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                TaskError::new(format!("cannot read {name}: {error}"), "name an existing JSON file")
            })?,
            Self::Url(url) => fetch(url).map_err(|error| {
                TaskError::new(
                    format!("cannot fetch {name}: {error}"),
                    "check the URL and the network, or download the document and pass the file",
                )
            })?,
        };
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            TaskError::new(format!("{name} is not JSON: {error}"), "name the OpenAPI document itself")
        })
    }
}

fn fetch(url: &str) -> Result<String, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(FETCH_TIMEOUT)).build().into();
    agent.get(url).call()?.into_body().into_with_config().limit(SIZE_MAX).read_to_string()
}
