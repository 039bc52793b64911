//! Where the service is, and the credential for it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::Args;
use liveavatar_api::raw::Operation;
use liveavatar_api::{API_KEY_ENV, BASE_URL, BASE_URL_ENV, Client, Credential, CredentialKind, Secret};

use crate::output::Failure;

/// The environment variable with the token of one session, for its start.
const SESSION_TOKEN_VARIABLE: &str = "LIVEAVATAR_SESSION_TOKEN";

#[derive(Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Service {
    /// Another address of the service; `LIVEAVATAR_BASE_URL` unless given
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
    /// Reads the API key from a file, `-` for standard input; `LIVEAVATAR_API_KEY` unless given
    #[arg(long, global = true, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Reads the token that `call start_session` takes; `LIVEAVATAR_SESSION_TOKEN` unless given
    #[arg(long, global = true, value_name = "FILE")]
    session_token_file: Option<PathBuf>,
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
            let token = match &self.session_token_file {
                Some(path) => read(path, "the session token")?,
                None => std::env::var(SESSION_TOKEN_VARIABLE).map_err(|_| {
                    Failure::usage(
                        format!("{} takes a session token, and there is none", operation.id),
                        format!(
                            "mint one with `liveavatar session token CONFIGURATION --token-file FILE`, and name it with \
                             --session-token-file or set {SESSION_TOKEN_VARIABLE}"
                        ),
                    )
                })?,
            };
            Ok(self.builder().credential(Credential::session_token(token.trim())?).build()?)
        }
    }

    pub(crate) fn base_url(&self) -> String {
        let said = self.base_url.clone().or_else(|| std::env::var(BASE_URL_ENV).ok());
        said.unwrap_or_else(|| BASE_URL.to_owned())
    }

    pub(crate) fn builder(&self) -> liveavatar_api::ClientBuilder {
        Client::builder().base_url(self.base_url())
    }

    pub(crate) fn has_key(&self) -> bool {
        self.api_key_file.is_some() || std::env::var_os(API_KEY_ENV).is_some()
    }

    pub(crate) fn key(&self) -> Result<Secret, Failure> {
        let key = match &self.api_key_file {
            Some(path) => read(path, "the API key")?,
            None => std::env::var(API_KEY_ENV).map_err(|_| {
                Failure::usage(
                    "there is no API key",
                    format!("create one in the service's settings and set {API_KEY_ENV}, or name a file with --api-key-file"),
                )
            })?,
        };
        // Files end with a line break, which is no part of the key.
        Ok(key.trim().into())
    }
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path, what: &'static str) -> Result<String, Failure> {
    let bytes = read_bytes(path, what)?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::Usage(format!("{what} cannot be read from {}: it is not UTF-8", path.display()), None)
    })
}

pub(crate) fn read_bytes(path: &Path, what: &'static str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match open(path, what)?.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(unreadable(path, what, &error)),
    }
}

/// A file, or standard input for `-`, which can be read once.
pub(crate) fn open(path: &Path, what: &'static str) -> Result<Box<dyn Read + Send>, Failure> {
    static READ_FOR: OnceLock<&str> = OnceLock::new();
    if path != Path::new("-") {
        let file = std::fs::File::open(path).map_err(|error| unreadable(path, what, &error))?;
        return Ok(Box::new(file));
    }
    if READ_FOR.set(what).is_err() {
        let first = READ_FOR.get().copied().unwrap_or_default();
        return Err(Failure::usage(
            format!("standard input is read for {first} already, and cannot be read again for {what}"),
            "name a file for one of them",
        ));
    }
    Ok(Box::new(std::io::stdin()))
}

fn unreadable(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    let from = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    Failure::Usage(format!("{what} cannot be read from {from}: {error}"), None)
}

/// Ctrl-C, and what a service manager sends instead; from here on neither ends the process by itself.
pub(crate) struct Interrupt {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    #[cfg(windows)]
    signal: tokio::signal::windows::CtrlC,
}

impl Interrupt {
    pub(crate) fn new() -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::Usage(format!("Ctrl-C cannot be waited for: {error}"), None);
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |kind| signal(kind).map_err(failed);
            Ok(Self { signals: [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?] })
        }
        #[cfg(windows)]
        Ok(Self { signal: tokio::signal::windows::ctrl_c().map_err(failed)? })
    }

    /// Waits for the next one; one that came since the last wait is not lost.
    pub(crate) async fn wait(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        #[cfg(windows)]
        drop(self.signal.recv().await);
    }
}
