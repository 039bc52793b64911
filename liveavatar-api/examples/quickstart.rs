//! Runs one session, from its configuration file to its transcript.
//!
//! Run it with `cargo run --example quickstart [CONFIGURATION.json]`. If `LIVEAVATAR_API_KEY` is set, it uses the service, in the
//! sandbox if the configuration says so. Otherwise it uses a mock.
//!
//! The exit code is 0 for success, 1 if a call failed, and 2 if the configuration is invalid.

mod support;

use std::process::ExitCode;
use std::time::Duration;

use liveavatar_api::session::{AnyConfiguration, AnyMode, Session};
use liveavatar_api::{API_KEY_ENV, Error};
use support::{Connected, connect};

const DEFAULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/full-sandbox.json");

/// How long the session stays open, so that you can join it.
const TALK: Duration = Duration::from_secs(12);

#[tokio::main]
async fn main() -> ExitCode {
    let path = std::env::args().nth(1).unwrap_or_else(|| DEFAULT.to_owned());
    let configuration = match read(&path) {
        Ok(configuration) => configuration,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    match run(&configuration).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.downcast_ref::<Error>().and_then(Error::hint) {
                eprintln!("  hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Reads a configuration and prints all its errors or warnings.
fn read(path: &str) -> Result<AnyConfiguration, String> {
    let name = std::path::Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy());
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("error: cannot read {path}: {error}"))?;
    let configuration = AnyConfiguration::from_json(&text).map_err(|diagnostics| {
        let errors = diagnostics.errors().count();
        let s = if errors == 1 { "" } else { "s" };
        format!("{diagnostics}\n\n{name}: {errors} error{s}; nothing was sent")
    })?;
    println!("{name}: valid {} configuration", configuration.mode());
    if !configuration.warnings().is_empty() {
        println!("{}", configuration.warnings());
    }
    Ok(configuration)
}

async fn run(configuration: &AnyConfiguration) -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock } = connect().await?;

    // The session is kept alive until it is stopped or this handle is dropped, which stops it too.
    let session = client.open(configuration).await?;
    println!("opened   session {} for up to {:.0?}", session.id(), session.time_left().unwrap_or_default());
    print_where_to_join(&session);

    tokio::select! {
        // The mock has its conversation at once.
        () = tokio::time::sleep(if mock.is_some() { Duration::ZERO } else { TALK }) => {}
        reason = session.ended() => println!("ended    {:?}", reason?),
        _ = tokio::signal::ctrl_c() => println!("interrupted"),
    }
    session.stop().await?;
    let details = session.details().await?;
    println!("stopped  after {} s, {} credits", details.duration, details.credits_consumed);

    println!("transcript:");
    for line in session.transcript().await? {
        println!("  {}: {}", line.role, line.transcript);
    }
    if mock.is_some() {
        println!(
            "next     {API_KEY_ENV}=… cargo run --example quickstart   # in the service's sandbox, which is free"
        );
    }
    Ok(())
}

/// Prints where to join, without the tokens.
fn print_where_to_join(session: &Session<AnyMode>) {
    let started = session.started();
    if let Some(url) = &started.livekit_url {
        println!("join     LiveKit room at {url} with `livekit_client_token` (a secret, not shown)");
    }
    if started.ws_url.is_some() {
        println!("audio    goes to the socket at `ws_url` (a secret, not shown)");
    }
}
