//! A voice agent: it listens to the user, thinks, and lets the avatar speak; the user can interrupt it.
//!
//! Run it with `cargo run --example voice_agent --features audio,lite`. The voice is `espeak-ng`, or a tone if it is not installed.

mod support;

use std::process::Stdio;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, stream};
use liveavatar_api::Error;
use liveavatar_api::realtime::audio::{Converter, Wav};
use liveavatar_api::realtime::lite::SpeechEnd;
use liveavatar_api::session::{Lite, LiteSession, SANDBOX_AVATAR_ID, Session};
use support::{Connected, connect};
use tokio::process::Command;
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
    println!("\nthe model's history:\n{}", talked?.join("\n"));
    Ok(())
}

/// Talks until the user says no more. Returns what each side has heard.
async fn talk(session: &Session<Lite>) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let socket = session.connect().await?;
    let mut user = user();
    let mut history = Vec::new();
    let mut said = user.recv().await;
    while let Some(text) = said.take() {
        println!("user:   {text}");
        history.push(format!("user: {text}"));
        let reply = think(&history).await;
        println!("avatar: {reply}");
        socket.stop_listening()?;
        // Audio is sent while it is synthesised; the handle is a future of how the speech ends.
        let mut speech = socket.speak(synthesize(&reply)?);
        let outcome = tokio::select! {
            outcome = &mut speech => outcome,
            Some(text) = user.recv() => {
                said = Some(text);
                socket.interrupt()?;
                speech.await
            }
        };
        socket.start_listening()?;
        match outcome.end {
            SpeechEnd::Finished => history.push(format!("avatar: {reply}")),
            SpeechEnd::Interrupted => {
                println!("        (interrupted after {:.1?})", outcome.played);
                history.push(format!("avatar: {} …", heard(&reply, outcome.played)));
            }
            SpeechEnd::Failed(error) => return Err(error.into()),
            // The connection was lost, or the service sent no end.
            other => println!("        ({other:?})"),
        }
        if said.is_none() {
            said = user.recv().await;
        }
    }
    socket.close().await;
    Ok(history)
}

/// Cuts a reply where the user interrupted it, at about 150 words a minute; some voices report the time of each word instead.
fn heard(reply: &str, played: Duration) -> String {
    let words = usize::try_from(played.as_millis() / 400).unwrap_or(usize::MAX);
    reply.split_whitespace().take(words).collect::<Vec<_>>().join(" ")
}

/// Imitates speech recognition: what the user says, and when.
fn user() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for (pause, text) in
            [(0, "Tell me about the museum."), (3, "Wait. When does it open?"), (5, "Thanks.")]
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
async fn think(history: &[String]) -> String {
    sleep(Duration::from_millis(200)).await;
    match history.last().map(String::as_str) {
        Some("user: Tell me about the museum.") => {
            "It has four floors, and I will describe every room on each of them to you."
        }
        Some("user: Wait. When does it open?") => "At nine.",
        _ => "You are welcome.",
    }
    .to_owned()
}

/// Streams the audio of a text while the voice makes it.
fn synthesize(text: &str) -> Result<BoxStream<'static, Result<Vec<u8>, Error>>, Error> {
    let espeak = Command::new("espeak-ng").args(["--stdout", text]).stdout(Stdio::piped()).spawn();
    Ok(match espeak.ok().and_then(|mut child| child.stdout.take()) {
        Some(wav) => Wav::read(wav).boxed(),
        None => Converter::new(16_000, 1)?.stream(tone(text.to_owned())).boxed(),
    })
}

/// Imitates a voice: 80 ms of a tone per letter, at 16 kHz.
fn tone(text: String) -> impl Stream<Item = Vec<i16>> + Send + 'static {
    stream::iter(text.into_bytes()).map(|letter| {
        let period = 70 + i16::from(letter) % 32;
        (0..1_280).map(|at: i16| at % period * (8_000 / period)).collect()
    })
}
