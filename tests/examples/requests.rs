//! Prints the example requests of every operation as JSON, or sends them to the given URL. Used by `tests/conformance/run`.
//!
//! Reads the API key from the environment. Operations that accept only a token get a made-up one.

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

/// Every operation with its requests.
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
    // A validating proxy checks only the format of the token.
    let with_token = client(Some(Credential::session_token("a-session-token")?))?;
    let without = client(None)?;
    let (mut sent, mut failed) = (0, 0);
    for operation in OPERATIONS {
        let client = match operation.credentials {
            [] => &without,
            kinds if kinds.contains(&CredentialKind::ApiKey) => &with_key,
            _ => &with_token,
        };
        for example in example_requests(operation.id) {
            sent += 1;
            if let Err(error) = call(client, operation.id, &example).await {
                failed += 1;
                println!("{}: {error}", operation.id);
            }
        }
    }
    println!("{} operations, {sent} requests, {failed} failed", OPERATIONS.len());
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {sent} requests failed").into()) }
}
