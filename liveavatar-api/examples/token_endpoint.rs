//! A backend that gives sessions to browsers: the key and every choice that costs money stay on the server.
//!
//! `cargo run --example token_endpoint` asks its own endpoint as two pages would, and ends; a real one goes on serving.

mod support;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE};
use axum::http::request::Parts;
use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
use liveavatar_api::session::{Configuration, Full, SANDBOX_AVATAR_ID};
use liveavatar_api::types::AvatarPersona;
use support::{Connected, connect};

/// Whom a request is from. A real server looks its cookie up among its logins, and counts what the user has had today.
async fn user(request: Parts) -> Result<String, Rejection> {
    let cookie = request.headers.get(COOKIE).and_then(|cookie| cookie.to_str().ok());
    let user = cookie.and_then(|cookie| cookie.strip_prefix("user="));
    user.map(str::to_owned).ok_or(Rejection::Unauthenticated)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    let persona: AvatarPersona = AvatarPersona::builder().language("en".to_owned()).try_into()?;
    let configuration = Configuration::<Full>::build(|full| {
        full.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).max_session_duration(60).avatar_persona(persona)
    })?;

    // With `starting`, pages get LiveKit's address and token instead, and the server looks after the sessions.
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
        let answer = request.body(choices).send().await?;
        println!("POST {choices}: {}, cache-control {:?}", answer.status(), answer.headers()[CACHE_CONTROL]);
        let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await?)?;
        if body["session_token"].is_string() {
            println!("  session {} and a token, not shown", body["session_id"]);
        } else {
            println!("  {body}");
        }
    }
    let answer = http.delete(&url).header(COOKIE, "user=ada").send().await?;
    println!("DELETE: {}", answer.status());

    // Where the server has started sessions, this stops them before it ends.
    let unstopped = client.shutdown().await;
    assert!(unstopped.is_empty(), "{unstopped:?}");
    Ok(())
}
