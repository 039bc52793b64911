//! A voice agent: it listens to the user, thinks, and lets the avatar speak; the user can interrupt it.
//!
//! Run it with `cargo run --example voice_agent --features lite`.

mod support;

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use liveavatar_api::realtime::lite::SpeechEnd;
use liveavatar_api::session::{Lite, LiteSession, SANDBOX_AVATAR_ID, Session};
use support::{Connected, connect};
use tokio::sync::mpsc;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    let config = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build()?;
    let session = client.open(&config).await?;
    let talked = talk(&session).await;
    // Also after an error: a session costs credits while it runs.
    session.stop().await?;
    talked
}

async fn talk(session: &Session<Lite>) -> Result<(), Box<dyn std::error::Error>> {
    let socket = session.connect().await?;
    let mut user = user();
    let mut said = user.recv().await;
    while let Some(text) = said.take() {
        println!("user:   {text}");
        let reply = think(&text).await;
        println!("avatar: {reply}");
        socket.stop_listening()?;
        // Audio is sent while it is synthesised; the handle is a future of how the speech ends.
        let mut speech = socket.speak(synthesize(reply));
        let outcome = tokio::select! {
            outcome = &mut speech => outcome,
            Some(heard) = user.recv() => {
                said = Some(heard);
                socket.interrupt()?;
                speech.await
            }
        };
        match outcome.end {
            SpeechEnd::Finished => println!("        (finished, {:?} of audio)", outcome.audio),
            SpeechEnd::Interrupted => println!("        (interrupted)"),
            SpeechEnd::Failed(error) => return Err(error.into()),
            // The connection was lost, or the service sent no end.
            other => println!("        ({other:?})"),
        }
        socket.start_listening()?;
        if said.is_none() {
            said = user.recv().await;
        }
    }
    socket.close().await;
    Ok(())
}

/// Imitates speech recognition: what the user says, and when.
fn user() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for (pause, text) in
            [(0, "Tell me about the museum."), (2, "Wait. When does it open?"), (5, "Thanks.")]
        {
            sleep(Duration::from_secs(pause)).await;
            if sender.send(text.to_owned()).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// Imitates a language model.
async fn think(text: &str) -> String {
    sleep(Duration::from_millis(200)).await;
    match text {
        "Tell me about the museum." => {
            "It has four floors, and I will describe every room on each of them to you."
        }
        "Wait. When does it open?" => "At nine.",
        _ => "You are welcome.",
    }
    .to_owned()
}

/// Imitates speech synthesis: 80 ms of a tone per letter, as 16-bit PCM at 24 kHz.
fn synthesize(text: String) -> impl Stream<Item = Vec<i16>> + Send + 'static {
    stream::iter(text.into_bytes()).map(|letter| {
        let period = 100 + i16::from(letter) % 32;
        (0..1_920).map(|at: i16| at % period * (8_000 / period)).collect()
    })
}
