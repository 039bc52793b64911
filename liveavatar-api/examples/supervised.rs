//! Sessions that keep themselves alive, rotate, and are stopped whatever happens to their owners.
//!
//! `cargo run --example supervised`: one session is stopped, one is dropped by a panic, one lives on until Ctrl-C or, without a
//! key, for a moment; then the client is shut down, and says what it could not stop.
//!
//! Exit codes: 0 everything is stopped, 1 a session may still run or the service said no.

mod support;

use std::process::ExitCode;
use std::time::Duration;

use liveavatar_api::session::{Configuration, Lite, SANDBOX_AVATAR_ID, SessionEvent, SessionEvents};
use liveavatar_api::{Client, Error};
use support::{Connected, connect};

/// How long this example waits for Ctrl-C where there is a service.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let Connected { client, mock } = connect().await?;
    let configuration =
        Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true))?;

    let session = client.open(&configuration).await?;
    println!("{} runs, {:?} left", session.id(), session.time_left().unwrap_or_default());
    session.stop().await?;
    println!("{} is stopped for certain", session.id());

    panicking(&client, &configuration).await?;

    // A sandbox session lasts a minute; the handle outlives it.
    let session = client.open(&configuration).auto_rotate().await?;
    println!("{} runs, and is replaced before its time is over", session.id());
    let listening = tokio::spawn(listen(session.events()));
    let patience = if mock.is_some() { Duration::from_millis(100) } else { PATIENCE };
    tokio::select! {
        () = tokio::time::sleep(patience) => println!("enough"),
        _ = tokio::signal::ctrl_c() => println!("interrupted"),
    }

    // Ctrl-C ends a program without running anything else: this is where the sessions are stopped.
    let unstopped = client.shutdown().await;
    for session in &unstopped {
        eprintln!("{session}");
    }
    listening.await?;
    println!("{} sessions may still run", unstopped.len());
    Ok(if unstopped.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An owner that panics; its session is stopped in the background.
async fn panicking(client: &Client, configuration: &Configuration<Lite>) -> Result<(), Error> {
    let session = client.open(configuration).await?;
    let (id, mut status) = (session.id(), session.watch());
    let owner = tokio::spawn(async move {
        let _session = session;
        // As a panic, without its message on the screen.
        std::panic::resume_unwind(Box::new("the owner panics"));
    });
    if owner.await.is_err_and(|error| error.is_panic()) {
        println!("the owner of {id} panicked");
    }
    if let Ok(status) = status.wait_for(|status| status.state.is_over()).await {
        println!("{id}: {:?}", status.state);
    }
    Ok(())
}

async fn listen(mut events: SessionEvents) {
    while let Some(event) = events.next().await {
        match event {
            SessionEvent::State(state) => println!("state    {state:?}"),
            SessionEvent::EndsSoon(left) => println!("ends in  {left:?}"),
            SessionEvent::Rotated { from, to } => println!("rotated  {from} to {to}: join again"),
            SessionEvent::RotationFailed(error) => println!("not rotated: {error}"),
            SessionEvent::KeepAliveFailed(error) => println!("not kept alive: {error}"),
            other => println!("{other:?}"),
        }
    }
}
