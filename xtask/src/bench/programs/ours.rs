//! A session with the crate: token, start, speech on the socket, stop.

use futures_util::stream;
use liveavatar_api::Client;
use liveavatar_api::session::LiteSession;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::from_env()?;
    let avatar = std::env::args().nth(1).unwrap_or_default();
    let configuration = LiteSession::builder().avatar_id(avatar).is_sandbox(true).build()?;
    let session = client.open(&configuration).await?;
    session.connect().await?.speak(stream::iter([vec![0_i16; 24_000]])).await;
    Ok(session.stop().await?)
}
