//! A hand-written session: token, start, speech on the socket, stop.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::SinkExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_websockets::{ClientBuilder, Message};

#[derive(Deserialize)]
struct DataEnvelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct TokenResponse {
    session_id: uuid::Uuid,
    session_token: String,
}

#[derive(Deserialize)]
struct StartResponse {
    ws_url: String,
}

async fn call<T: DeserializeOwned>(request: reqwest::RequestBuilder, body: Value) -> reqwest::Result<T> {
    let response = request.json(&body).send().await?.error_for_status()?;
    Ok(response.json::<DataEnvelope<T>>().await?.data)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let http = reqwest::Client::new();
    let key = std::env::var("LIVEAVATAR_API_KEY")?;
    let post = |path: &str| http.post(format!("https://api.liveavatar.com/v1/sessions/{path}"));
    let avatar = json!({ "mode": "LITE", "avatar_id": std::env::args().nth(1), "is_sandbox": true });
    let token: TokenResponse = call(post("token").header("x-api-key", &key), avatar).await?;
    let started: StartResponse = call(post("start").bearer_auth(&token.session_token), json!({})).await?;
    let (mut socket, _) = ClientBuilder::new().uri(&started.ws_url)?.connect().await?;
    let speech = json!({ "type": "agent.speak", "audio": STANDARD.encode([0; 48_000]) });
    socket.send(Message::text(speech.to_string())).await?;
    let stop = json!({ "session_id": token.session_id });
    let _: Value = call(post("stop").header("x-api-key", &key), stop).await?;
    Ok(())
}
