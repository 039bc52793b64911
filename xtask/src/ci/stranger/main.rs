use liveavatar_api::session::{Configuration, Lite, SANDBOX_AVATAR_ID};
use liveavatar_api::{Client, Credential, mock};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = mock::Server::start().await?;
    let credential = Credential::api_key(server.api_key())?;
    let client = Client::builder().base_url(server.url()).credential(credential).build()?;
    let configuration = Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID))?;
    let session = client.open(&configuration).await?;
    println!("session {} runs", session.id());
    Ok(session.stop().await?)
}
