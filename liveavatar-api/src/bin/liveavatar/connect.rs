//! Where the service is, and the credential for it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use liveavatar_api::raw::Operation;
use liveavatar_api::{
    API_KEY_VARIABLE, BASE_URL, BASE_URL_VARIABLE, Client, Credential, CredentialKind, Secret,
};

use crate::output::Failure;

/// The environment variable with the token of one session, for its start.
const SESSION_TOKEN_VARIABLE: &str = "LIVEAVATAR_SESSION_TOKEN";

#[derive(Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Service {
    /// The service's address, instead of `LIVEAVATAR_BASE_URL` or the service itself
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
    /// Read the API key from a file, or from standard input with `-`, instead of `LIVEAVATAR_API_KEY`
    #[arg(long, global = true, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

impl Service {
    /// A client with the account's API key.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(self.builder().credential(Credential::api_key(self.key()?)?).build()?)
    }

    /// A client with the kind of credential that the operation takes.
    pub(crate) fn client_for(&self, operation: &Operation) -> Result<Client, Failure> {
        let kinds = operation.credentials;
        if kinds.is_empty() {
            Ok(self.builder().build()?)
        } else if kinds.contains(&CredentialKind::ApiKey) {
            self.client()
        } else {
            let token = std::env::var(SESSION_TOKEN_VARIABLE).map_err(|_| {
                Failure::usage(
                    format!(
                        "{SESSION_TOKEN_VARIABLE} is not set, and {} takes a session token",
                        operation.id
                    ),
                    "mint one with `liveavatar session token`, or let `liveavatar session start` do it all",
                )
            })?;
            Ok(self.builder().credential(Credential::session_token(token.trim())?).build()?)
        }
    }

    pub(crate) fn base_url(&self) -> String {
        let said = self.base_url.clone().or_else(|| std::env::var(BASE_URL_VARIABLE).ok());
        said.unwrap_or_else(|| BASE_URL.to_owned())
    }

    pub(crate) fn builder(&self) -> liveavatar_api::ClientBuilder {
        Client::builder().base_url(self.base_url())
    }

    #[cfg(feature = "mock")]
    pub(crate) fn has_key(&self) -> bool {
        self.api_key_file.is_some() || std::env::var_os(API_KEY_VARIABLE).is_some()
    }

    pub(crate) fn key(&self) -> Result<Secret, Failure> {
        let key = match &self.api_key_file {
            Some(path) => read(path, "the API key")?,
            None => std::env::var(API_KEY_VARIABLE).map_err(|_| {
                Failure::usage(
                    "there is no API key",
                    format!("create one in the service's settings and set {API_KEY_VARIABLE}, or name a file with --api-key-file"),
                )
            })?,
        };
        // Files end with a line break, which is no part of the key.
        Ok(key.trim().into())
    }
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path, what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let (read, from) = if path == Path::new("-") {
        (std::io::stdin().read_to_string(&mut text), "standard input".to_owned())
    } else {
        let file = std::fs::File::open(path);
        (file.and_then(|mut file| file.read_to_string(&mut text)), path.display().to_string())
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::Usage(format!("{what} cannot be read from {from}: {error}"), None)),
    }
}

/// Waits for Ctrl-C, or for what a service manager sends instead.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
