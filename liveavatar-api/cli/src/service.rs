//! Options that select the service and the credentials.

use std::path::{Path, PathBuf};

use clap::Args;
use liveavatar_api::raw::Operation;
use liveavatar_api::{
    API_KEY_ENV, BASE_URL, BASE_URL_ENV, Client, ClientBuilder, Credential, CredentialKind, Secret,
};

use crate::failure::Failure;
use crate::input::{display_name, read_text};
use crate::profile::{self, DEFAULT_PROFILE, Profile};

const SESSION_TOKEN_ENV: &str = "LIVEAVATAR_SESSION_TOKEN";

#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Service {
    /// Base URL of the service, instead of `LIVEAVATAR_BASE_URL`
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
    /// Read the API key from a file, or `-` for standard input, instead of `LIVEAVATAR_API_KEY`
    #[arg(long, global = true, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Use the API key of a profile that `liveavatar login` stored [default: default]
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "api_key_file")]
    profile: Option<String>,
    /// Read the token for `call start_session` from a file instead of `LIVEAVATAR_SESSION_TOKEN`
    #[arg(long, global = true, value_name = "FILE")]
    session_token_file: Option<PathBuf>,
}

impl Service {
    /// Returns a client with the account's API key.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(self.builder()?.credential(Credential::api_key(self.api_key()?)?).build()?)
    }

    /// Returns a client with the kind of credential that the operation requires.
    pub(crate) fn client_for(&self, operation: &Operation) -> Result<Client, Failure> {
        if operation.credentials.is_empty() {
            return Ok(self.builder()?.build()?);
        }
        if operation.credentials.contains(&CredentialKind::ApiKey) {
            return self.client();
        }
        let hint = format!(
            "create a token with `liveavatar session token CONFIGURATION --token-file FILE`, then use \
             --session-token-file FILE or set {SESSION_TOKEN_ENV}"
        );
        let token =
            read_credential(self.session_token_file.as_deref(), SESSION_TOKEN_ENV, "session token", &hint)?;
        Ok(self.builder()?.credential(Credential::session_token(token)?).build()?)
    }

    /// Returns the base URL: that of the option, of the profile that the option names, of the environment, or of the default profile.
    pub(crate) fn base_url(&self) -> Result<String, Failure> {
        let profile = self.profile()?.and_then(|profile| profile.base_url);
        let (named, default) = if self.profile.is_some() { (profile, None) } else { (None, profile) };
        let url = self.base_url.clone().or(named).or_else(|| std::env::var(BASE_URL_ENV).ok());
        Ok(url.or(default).unwrap_or_else(|| BASE_URL.to_owned()))
    }

    /// Returns the base URL to store with a key, without that of an earlier login.
    pub(crate) fn login_url(&self) -> Option<String> {
        self.base_url.clone().or_else(|| std::env::var(BASE_URL_ENV).ok())
    }

    pub(crate) fn builder(&self) -> Result<ClientBuilder, Failure> {
        Ok(Client::builder().base_url(self.base_url()?))
    }

    pub(crate) fn api_key_file(&self) -> Option<&Path> {
        self.api_key_file.as_deref()
    }

    pub(crate) fn profile_name(&self) -> &str {
        self.profile.as_deref().unwrap_or(DEFAULT_PROFILE)
    }

    /// Returns the profile whose key is used: the one that the option names, or the default one if no other key is set.
    fn profile(&self) -> Result<Option<Profile>, Failure> {
        if self.has_own_key() {
            return Ok(None);
        }
        let profile = profile::read(self.profile_name())?;
        match &self.profile {
            Some(name) if profile.is_none() => Err(Failure::usage(
                format!("there is no profile `{name}`"),
                format!("run `liveavatar login --profile {name}` to create it"),
            )),
            _ => Ok(profile),
        }
    }

    /// Whether the key comes from a file or the environment.
    fn has_own_key(&self) -> bool {
        self.api_key_file.is_some() || (self.profile.is_none() && std::env::var_os(API_KEY_ENV).is_some())
    }

    pub(crate) fn has_api_key(&self) -> bool {
        self.profile.is_some() || self.has_own_key()
    }

    pub(crate) fn api_key(&self) -> Result<Secret, Failure> {
        if let Some(profile) = self.profile()? {
            return Ok(profile.api_key.secret());
        }
        let hint = format!(
            "create a key in the settings of the service, then run `liveavatar login`, set {API_KEY_ENV} or use \
             --api-key-file FILE"
        );
        read_credential(self.api_key_file.as_deref(), API_KEY_ENV, "API key", &hint)
    }
}

/// Reads a credential from a file or an environment variable, without the line break at its end.
fn read_credential(
    file: Option<&Path>,
    variable: &str,
    what: &'static str,
    hint: &str,
) -> Result<Secret, Failure> {
    let (text, source) = match (file, std::env::var(variable)) {
        (Some(path), _) => (read_text(path, what)?, display_name(path)),
        (None, Ok(text)) => (text, variable.to_owned()),
        (None, Err(_)) => return Err(Failure::usage(format!("{variable} is not set"), hint)),
    };
    match text.trim() {
        "" => Err(Failure::usage(format!("{source} is empty"), hint)),
        credential => Ok(credential.into()),
    }
}
