//! Serves session tokens to browsers, while the API key and all choices that cost money stay on the server.
//!
//! Run it with `cargo run --example token_endpoint --features axum`. It sends three requests to its own endpoint and exits.

mod support;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE};
use axum::http::request::Parts;
use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
use liveavatar_api::session::{FullSession, SANDBOX_AVATAR_ID};
use liveavatar_api::types::AvatarPersona;
use support::{Connected, connect};

/// Returns the user who sent a request. A real server would check the session cookie and the user's quota.
async fn user(request: Parts) -> Result<String, Rejection> {
    let cookie = request.headers.get(COOKIE).and_then(|cookie| cookie.to_str().ok());
    let user = cookie.and_then(|cookie| cookie.strip_prefix("user="));
    user.map(str::to_owned).ok_or(Rejection::Unauthenticated)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    let configuration = FullSession::builder()
        .avatar_id(SANDBOX_AVATAR_ID)
        .is_sandbox(true)
        .max_session_duration(60)
        .avatar_persona(AvatarPersona::builder().language("en"))
        .build()?;

    // With `starting`, the server starts and supervises the sessions, and the browser gets a LiveKit URL and token.
    let router = TokenEndpoint::new(client.clone(), configuration, user)
        .allow("avatar_persona.language", Choice::one_of(["en", "de"]))
        .allow("max_session_duration", Choice::up_to(60))
        .router()?;
    let app = axum::Router::new().nest("/session", router);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/session", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let http = reqwest::Client::builder().no_proxy().build()?;
    for choices in [r#"{"avatar_persona": {"language": "de"}}"#, r#"{"avatar_id": "one that costs more"}"#] {
        let request = http.post(&url).header(COOKIE, "user=ada").header(CONTENT_TYPE, "application/json");
        let response = request.body(choices).send().await?;
        let (status, cache_control) = (response.status(), &response.headers()[CACHE_CONTROL]);
        println!("POST {choices}: {status}, cache-control {cache_control:?}");
        let body: serde_json::Value = serde_json::from_slice(&response.bytes().await?)?;
        if body["session_token"].is_string() {
            println!("  session {} and its token (a secret, not shown)", body["session_id"]);
        } else {
            println!("  {body}");
        }
    }
    let response = http.delete(&url).header(COOKIE, "user=ada").send().await?;
    println!("DELETE: {}", response.status());

    // This stops the sessions that the server has started.
    let failed = client.shutdown().await;
    assert!(failed.is_empty(), "{failed:?}");
    Ok(())
}
