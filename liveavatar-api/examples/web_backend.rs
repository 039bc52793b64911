//! A web backend: it gives signed-in users a session with the avatar, and the API key stays on the server.
//!
//! Run it with `cargo run --example web_backend --features axum`.

mod support;

use axum::http::request::Parts;
use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
use liveavatar_api::session::{FullSession, SANDBOX_AVATAR_ID};
use liveavatar_api::types::AvatarPersona;
use serde_json::{Value, json};
use support::{Connected, connect};

/// Returns the user who sent a request. A real server checks the session cookie and the user's quota.
async fn login(request: Parts) -> Result<String, Rejection> {
    let cookie = request.headers.get("cookie").and_then(|cookie| cookie.to_str().ok());
    let user = cookie.and_then(|cookie| cookie.strip_prefix("user="));
    user.map(str::to_owned).ok_or(Rejection::Unauthenticated)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    let config = FullSession::builder()
        .avatar_id(SANDBOX_AVATAR_ID)
        .is_sandbox(true)
        .max_session_duration(60)
        .avatar_persona(AvatarPersona::builder().language("en"))
        .build()?;
    let session = TokenEndpoint::new(client.clone(), config, login)
        .allow("avatar_persona.language", Choice::one_of(["en", "de"]))
        .allow("max_session_duration", Choice::up_to(60))
        .on_granted(|granted| println!("  count session {} of {}", granted.session_id, granted.user))
        .on_ended(|ended| {
            println!("  session {} of {} ended: {:?}", ended.session_id, ended.user, ended.reason);
        })
        .start_sessions()
        .service()?;
    let app = axum::Router::new().nest_service("/session", session);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/session", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    // What a page does: choose a language, get a room, and leave.
    let page = reqwest::Client::builder().no_proxy().build()?;
    for choices in
        [json!({ "avatar_persona": { "language": "de" } }), json!({ "avatar_id": "one that costs more" })]
    {
        let response = page.post(&url).header("cookie", "user=ada").json(&choices).send().await?;
        println!("POST {choices}: {}", response.status());
        let body: Value = response.json().await?;
        match body["livekit_url"].as_str() {
            Some(room) => println!("  join {room} with `livekit_client_token` (a secret, not shown)"),
            None => println!("  {body}"),
        }
    }
    println!("DELETE: {}", page.delete(&url).header("cookie", "user=ada").send().await?.status());

    // A server does this on Ctrl-C. It stops the sessions that the server has started.
    server.abort();
    let failed = client.shutdown().await;
    assert!(failed.is_empty(), "{failed:?}");
    Ok(())
}
