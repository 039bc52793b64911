//! Where a document comes from: a file or an address.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;

/// Where the service publishes its document.
pub const PUBLISHED: &str = "https://docs.liveavatar.com/openapi.json";

/// A whole download may take this long.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// The published document has 160 kB; a hundred times that is not this document.
const SIZE_LIMIT: u64 = 16 * 1024 * 1024;

/// A place that a document is read from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file on this machine.
    File(PathBuf),
    /// An `http` or `https` address.
    Url(String),
}

impl Source {
    /// Reads `--from`: what starts like an address is one, everything else is a path.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.starts_with("http://") || text.starts_with("https://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        }
    }

    /// The name shown in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url) => url.clone(),
        }
    }

    /// Reads and parses the JSON behind this source.
    ///
    /// # Errors
    /// When it cannot be read or is not JSON.
    pub fn read(&self) -> Result<Value, Failure> {
        let name = self.name();
        let text = match self {
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                Failure::new(format!("cannot read {name}: {error}"), "name an existing JSON file")
            })?,
            Self::Url(url) => fetch(url).map_err(|error| {
                Failure::new(
                    format!("cannot fetch {name}: {error}"),
                    "check the address and the network, or save the document and name the file",
                )
            })?,
        };
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            Failure::new(format!("{name} is not JSON: {error}"), "name the OpenAPI document itself")
        })
    }
}

fn fetch(url: &str) -> Result<String, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(FETCH_LIMIT)).build().into();
    agent.get(url).call()?.into_body().into_with_config().limit(SIZE_LIMIT).read_to_string()
}
