//! Supervises sessions: keeps them alive, rotates them, and stops them even if their owner panics.
//!
//! Run it with `cargo run --example supervised`. It stops one session, drops one in a panic, and keeps one running until Ctrl-C or
//! a timeout. Then it shuts the client down, which reports sessions that could not be stopped.
//!
//! The exit code is 0 if every session is stopped, and 1 if one may still be running or a call failed.

mod support;

use std::process::ExitCode;
use std::time::Duration;

use liveavatar_api::session::{LiteSession, SANDBOX_AVATAR_ID, SessionEvent, SessionEvents};
use liveavatar_api::{Client, Error};
use support::{Connected, connect};

/// How long this example waits for Ctrl-C when it uses the service.
const WAIT_MAX: Duration = Duration::from_secs(90);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let Connected { client, mock } = connect().await?;
    let configuration = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build()?;

    let session = client.open(&configuration).await?;
    println!("{} is running, {:.0?} left", session.id(), session.time_left().unwrap_or_default());
    session.stop().await?;
    println!("{} is confirmed stopped", session.id());

    panic_with_session(&client, &configuration).await?;

    // A sandbox session lasts a minute. With `auto_rotate`, the handle continues with the next one.
    let session = client.open(&configuration).auto_rotate().await?;
    println!("{} is running and is replaced before it expires", session.id());
    let listening = tokio::spawn(listen(session.events()));
    let wait = if mock.is_some() { Duration::from_millis(100) } else { WAIT_MAX };
    tokio::select! {
        () = tokio::time::sleep(wait) => println!("timed out"),
        _ = tokio::signal::ctrl_c() => println!("interrupted"),
    }

    // Without a handler, Ctrl-C would end the process and leave the sessions running.
    let failed = client.shutdown().await;
    for stop_failed in &failed {
        eprintln!("{stop_failed}");
    }
    listening.await?;
    println!("sessions that may still be running: {}", failed.len());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Opens a session in a task that panics; the session is stopped in the background.
async fn panic_with_session(client: &Client, configuration: &LiteSession) -> Result<(), Error> {
    let session = client.open(configuration).await?;
    let (id, mut status) = (session.id(), session.watch());
    let owner = tokio::spawn(async move {
        let _session = session;
        // A panic without a message on the terminal.
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
            SessionEvent::Rotated { from, to } => println!("rotated  {from} to {to}: join the new session"),
            SessionEvent::RotationFailed(error) => println!("rotation failed: {error}"),
            SessionEvent::KeepAliveFailed(error) => println!("keep-alive failed: {error}"),
            other => println!("{other:?}"),
        }
    }
}
