//! `login`: storing an API key in a profile.

use std::io::{IsTerminal as _, stdin};
use std::path::PathBuf;

use clap::Args;
use console::Term;
use liveavatar_api::{Client, Credential, Secret};
use serde_json::json;

use crate::failure::Failure;
use crate::input::read_text;
use crate::output::Output;
use crate::profile::{self, Key, Profile};
use crate::service::Service;

#[derive(Args)]
pub(crate) struct Login {
    /// Store the key without checking that the service accepts it
    #[arg(long)]
    unchecked: bool,
}

impl Login {
    /// Reads a key, without showing it, and stores it if the service accepts it.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let name = service.profile_name();
        let key = match service.api_key_file() {
            Some(_) => service.api_key()?,
            None => tokio::task::spawn_blocking(ask).await.unwrap_or_else(|error| {
                Err(Failure::Usage(format!("failed to read the API key: {error}"), None))
            })?,
        };
        let url = service.login_url();
        let builder = url.iter().fold(Client::builder(), |builder, url| builder.base_url(url.as_str()));
        let client = builder.credential(Credential::api_key(key.clone())?).build()?;
        if !self.unchecked {
            output.status("checking the key");
            client.get_user_credits().send().await?;
        }
        let path = profile::write(name, Profile { api_key: Key::new(&key), base_url: url })?;
        let path = path.display().to_string();
        let text = format!("stored the key as profile `{name}` in {path}\nnext: liveavatar doctor");
        output.print_as(json!({"profile": name, "file": path}), &text);
        Ok(())
    }
}

/// Reads the key from the terminal without showing it, or from standard input.
fn ask() -> Result<Secret, Failure> {
    let text = if stdin().is_terminal() {
        let terminal = Term::stderr();
        let read = terminal.write_str("API key (not shown): ").and_then(|()| terminal.read_secure_line());
        read.map_err(|error| Failure::Usage(format!("failed to read the API key: {error}"), None))?
    } else {
        read_text(&PathBuf::from("-"), "API key")?
    };
    match text.trim() {
        "" => Err(Failure::usage("the API key is empty", "create a key in the settings of the service")),
        key => Ok(key.into()),
    }
}
