use liveavatar_api::session::{LiteSession, SANDBOX_AVATAR_ID};
use liveavatar_api::{Client, Credential};
use liveavatar_mock::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start().await?;
    let credential = Credential::api_key(server.api_key())?;
    let client = Client::builder().base_url(server.url()).credential(credential).build()?;
    let configuration = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).build()?;
    let session = client.open(&configuration).await?;
    println!("session {} is running", session.id());
    Ok(session.stop().await?)
}
