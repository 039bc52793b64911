//! What the examples share: the service if there is a key for it, else the mock.

use liveavatar_api::{API_KEY_ENV, Client, Credential};

/// A client, and the mock that it talks to, which lives as long as the binding.
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) mock: Option<liveavatar_mock::Server>,
}

pub(crate) async fn connect() -> Result<Connected, Box<dyn std::error::Error>> {
    if std::env::var_os(API_KEY_ENV).is_some() {
        return Ok(Connected { client: Client::from_env()?, mock: None });
    }
    println!("{API_KEY_ENV} is not set: running against a mock service in this process");
    let server = liveavatar_mock::Server::start().await?;
    let credential = Credential::api_key(server.api_key())?;
    let client = Client::builder().base_url(server.url()).credential(credential).build()?;
    Ok(Connected { client, mock: Some(server) })
}
