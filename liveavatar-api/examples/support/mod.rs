//! The client that the examples share: for the service if an API key is set, otherwise for a mock.

use liveavatar_api::{API_KEY_ENV, Client};
use liveavatar_mock::{EventStyle, Server};

/// A client and its mock, which runs until this value is dropped.
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) mock: Option<Server>,
}

pub(crate) async fn connect() -> Result<Connected, Box<dyn std::error::Error>> {
    if std::env::var_os(API_KEY_ENV).is_some() {
        return Ok(Connected { client: Client::from_env()?, mock: None });
    }
    println!("{API_KEY_ENV} is not set: using a mock service in this process");
    let server = Server::builder().sockets(EventStyle::default()).start().await?;
    Ok(Connected { client: server.client()?, mock: Some(server) })
}
