//! A LITE session that speaks as its text-to-speech does, is interrupted by the user, and answers.
//!
//! `cargo run --example speak`: with `LIVEAVATAR_API_KEY` set it talks to
//! the service, in the sandbox; without, it starts the mock and says so.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use liveavatar_api::realtime::audio::SAMPLE_RATE;
use liveavatar_api::realtime::lite::{LiteEventKind, SpeechEnd, SpeechOutcome};
use liveavatar_api::session::{Configuration, Lite, SANDBOX_AVATAR_ID, Session};
use liveavatar_api::{API_KEY_ENV, Client, Credential};
use tokio::time::{Instant, sleep};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, _mock) = connect().await?;
    let configuration =
        Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true))?;
    let session = client.open(&configuration).await?;
    let spoken = converse(&session).await;
    // Whatever happened, the session is stopped: it costs credits while it runs.
    session.stop().await?;
    spoken
}

async fn converse(session: &Session<Lite>) -> Result<(), Box<dyn std::error::Error>> {
    let begin = Instant::now();
    let socket = session.connect().await?;
    println!("connected after {:.0?}", begin.elapsed());

    let mut events = socket.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event.kind {
                LiteEventKind::SpeakStarted => println!("  {:.1?} the avatar speaks", begin.elapsed()),
                LiteEventKind::SpeakEnded => println!("  {:.1?} the avatar is silent", begin.elapsed()),
                LiteEventKind::SpeakInterrupted => {
                    println!("  {:.1?} the avatar was cut off", begin.elapsed());
                }
                _ => {}
            }
        }
    });

    socket.stop_listening()?;
    let answer =
        socket.speak(voice("Let me tell you everything there is to know about avatars, from the start."));
    // The user's microphone would say when this is; here it is after two seconds.
    let user = async {
        sleep(Duration::from_secs(2)).await;
        println!("  {:.1?} the user interrupts", begin.elapsed());
        socket.interrupt()?;
        socket.start_listening()
    };
    let (spoken, interrupted) = tokio::join!(answer, user);
    interrupted?;
    report("the long answer", &spoken);

    socket.stop_listening()?;
    let spoken = socket.speak(voice("In short: yes.")).await;
    report("the short answer", &spoken);
    socket.close().await;
    Ok(())
}

fn report(what: &str, spoken: &SpeechOutcome) {
    let late = spoken.first_frame_after.unwrap_or_default();
    let how = match &spoken.end {
        SpeechEnd::Finished => "was spoken to its end".to_owned(),
        SpeechEnd::Interrupted => "was interrupted".to_owned(),
        SpeechEnd::Failed(error) => format!("failed: {error}"),
        _ => "is not heard of any more".to_owned(),
    };
    println!(
        "{what} {how}, {:.1?} of it sent; its first frame left {late:.0?} after the first byte",
        spoken.audio
    );
}

/// A stand-in for text to speech: it thinks a little, then makes audio at four times the pace of speech, a vowel a letter.
fn voice(text: &str) -> impl Stream<Item = Vec<i16>> + Send + 'static {
    const LETTER: Duration = Duration::from_millis(80);
    const SAMPLES: u32 = SAMPLE_RATE * 80 / 1_000;
    let thinking = stream::once(async {
        sleep(Duration::from_millis(150)).await;
        Vec::new()
    });
    let letters: Vec<char> = text.chars().collect();
    let speaking = stream::iter(letters).then(|letter| async move {
        sleep(LETTER / 4).await;
        // A saw, as high as the letter is late in the alphabet.
        let period = if letter.is_alphabetic() { 120 - u32::from(letter) % 32 } else { 1 };
        let level = |at: u32| i16::try_from(at % period * (8_000 / period)).unwrap_or(0);
        (0..SAMPLES).map(level).collect()
    });
    thinking.chain(speaking)
}

/// A client of the service, or of a mock that lives as long as it is held.
async fn connect() -> Result<(Client, Option<liveavatar_mock::Server>), Box<dyn std::error::Error>> {
    if std::env::var_os(API_KEY_ENV).is_some() {
        return Ok((Client::from_env()?, None));
    }
    println!("{API_KEY_ENV} is not set: running against a mock service in this process");
    let server =
        liveavatar_mock::Server::builder().sockets(liveavatar_mock::EventStyle::default()).start().await?;
    let credential = Credential::api_key(server.api_key())?;
    let client = Client::builder().base_url(server.url()).credential(credential).build()?;
    Ok((client, Some(server)))
}
