//! The requests of all operations, for judges outside: as JSON, or sent by the library to the address that is given.
//!
//! The API key is that of the environment, and so is the token for what takes a token only.

use liveavatar_api::raw::OPERATIONS;
use liveavatar_api::{API_KEY_ENV, Client, Credential, CredentialKind};
use liveavatar_mock::{example_requests, operations};
use liveavatar_tests::call;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    if let Some(base) = std::env::args().nth(1) {
        return send(&base).await;
    }
    println!("{}", all());
    Ok(())
}

/// Each operation with its requests.
fn all() -> Value {
    let requests = |name: &str| {
        let request = |example: liveavatar_mock::Example| {
            json!({
                "path": example.path,
                "query": example.query,
                "body": example.body,
                "content_type": example.content_type,
            })
        };
        example_requests(name).into_iter().map(request).collect::<Value>()
    };
    let described = operations().map(|operation| {
        json!({
            "name": operation.name,
            "method": operation.method,
            "path": operation.path,
            "security": operation.security,
            "requests": requests(operation.name),
        })
    });
    described.collect()
}

async fn send(base: &str) -> Result<(), Failure> {
    let client = |credential: Option<Credential>| {
        let builder = Client::builder().base_url(base);
        match credential {
            Some(credential) => builder.credential(credential),
            None => builder,
        }
        .build()
    };
    let with_key = client(Some(Credential::api_key(std::env::var(API_KEY_ENV)?)?))?;
    // What stands before the service and judges looks at the shape alone.
    let with_token = client(Some(Credential::session_token("a-session-token")?))?;
    let without = client(None)?;
    let (mut sent, mut refused) = (0, 0);
    for operation in OPERATIONS {
        let client = match operation.credentials {
            [] => &without,
            kinds if kinds.contains(&CredentialKind::ApiKey) => &with_key,
            _ => &with_token,
        };
        for example in example_requests(operation.id) {
            sent += 1;
            if let Err(error) = call(client, operation.id, &example).await {
                refused += 1;
                println!("{}: {error}", operation.id);
            }
        }
    }
    println!("{} operations, {sent} requests, {refused} refused", OPERATIONS.len());
    if refused == 0 { Ok(()) } else { Err("requests were refused".into()) }
}
