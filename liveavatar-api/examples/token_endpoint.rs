//! A backend that mints session tokens for browsers: the key and every choice that costs money stay on the server.
//!
//! `cargo run --example token_endpoint` asks its own endpoint once and ends; a real one goes on serving, behind a login.

mod support;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use liveavatar_api::session::{Configuration, Full, SANDBOX_AVATAR_ID};
use liveavatar_api::types::AvatarPersona;
use liveavatar_api::{Client, Error};
use support::{Connected, connect};

/// What the handler needs; the browser chooses none of it.
#[derive(Clone)]
struct Service {
    client: Client,
    configuration: Configuration<Full>,
}

async fn token(State(service): State<Service>) -> Response {
    match service.client.mint(&service.configuration).await {
        Ok(minted) => {
            // The token is a credential: it goes to the one browser that asked, and into no cache and no log.
            let body = serde_json::json!({ "session_id": minted.id(), "session_token": minted.token() });
            let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, "application/json")];
            (headers, body.to_string()).into_response()
        }
        Err(error) => {
            eprintln!("{error}");
            // The browser learns what it can do about it, and nothing of what the service said.
            status_of(&error).into_response()
        }
    }
}

fn status_of(error: &Error) -> StatusCode {
    if error.is_rate_limited() || error.is_concurrency_limit() {
        StatusCode::SERVICE_UNAVAILABLE
    } else if error.is_timeout() {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::BAD_GATEWAY
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    let persona: AvatarPersona = AvatarPersona::builder().language("en".to_owned()).try_into()?;
    let configuration = Configuration::<Full>::build(|full| {
        full.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).max_session_duration(60).avatar_persona(persona)
    })?;

    let router =
        axum::Router::new().route("/token", post(token)).with_state(Service { client, configuration });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/token", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });

    let answer = reqwest::Client::builder().no_proxy().build()?.post(&url).send().await?;
    println!(
        "POST /token answers {}, cache-control {:?}",
        answer.status(),
        answer.headers()[CACHE_CONTROL.as_str()]
    );
    let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await?)?;
    println!("session {} and a token, not shown", body["session_id"]);
    Ok(())
}
