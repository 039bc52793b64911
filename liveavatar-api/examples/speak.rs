//! Streams speech to an avatar in a LITE session, interrupts it, and speaks again.
//!
//! Run it with `cargo run --example speak --features audio,lite`.

mod support;

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use liveavatar_api::realtime::audio::SAMPLE_RATE;
use liveavatar_api::realtime::lite::{LiteEventKind, SpeechEnd, SpeechOutcome};
use liveavatar_api::session::{Lite, LiteSession, SANDBOX_AVATAR_ID, Session};
use support::{Connected, connect};
use tokio::time::{Instant, sleep};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    let configuration = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build()?;
    let session = client.open(&configuration).await?;
    let result = converse(&session).await;
    // Stop the session even after an error: it costs credits while it is running.
    session.stop().await?;
    result
}

async fn converse(session: &Session<Lite>) -> Result<(), Box<dyn std::error::Error>> {
    let begin = Instant::now();
    let socket = session.connect().await?;
    println!("connected after {:.0?}", begin.elapsed());

    let mut events = socket.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event.kind {
                LiteEventKind::SpeakStarted => {
                    println!("  {:.1?} the avatar starts speaking", begin.elapsed());
                }
                LiteEventKind::SpeakEnded => println!("  {:.1?} the avatar has finished", begin.elapsed()),
                LiteEventKind::SpeakInterrupted => println!("  {:.1?} it is interrupted", begin.elapsed()),
                _ => {}
            }
        }
    });

    socket.stop_listening()?;
    let speech = socket
        .speak(synthesize("Let me tell you everything there is to know about avatars, from the start."));
    // A real program would detect the user's voice; this one waits two seconds.
    let interruption = async {
        sleep(Duration::from_secs(2)).await;
        println!("  {:.1?} the user interrupts", begin.elapsed());
        socket.interrupt()?;
        socket.start_listening()
    };
    let (spoken, interrupted) = tokio::join!(speech, interruption);
    interrupted?;
    report("the long speech", &spoken);

    socket.stop_listening()?;
    let spoken = socket.speak(synthesize("In short: yes.")).await;
    report("the short speech", &spoken);
    socket.close().await;
    Ok(())
}

fn report(name: &str, spoken: &SpeechOutcome) {
    let delay = spoken.first_frame_after.unwrap_or_default();
    let end = match &spoken.end {
        SpeechEnd::Finished => "was spoken in full".to_owned(),
        SpeechEnd::Interrupted => "was interrupted".to_owned(),
        SpeechEnd::Failed(error) => format!("failed: {error}"),
        _ => "has an unknown end".to_owned(),
    };
    println!(
        "{name} {end}; {:.1?} of audio were sent, the first frame {delay:.0?} after the first sample",
        spoken.audio
    );
}

/// Imitates text to speech: after a delay, it produces a tone for each letter, four times faster than speech.
fn synthesize(text: &str) -> impl Stream<Item = Vec<i16>> + Send + 'static {
    const LETTER_DURATION: Duration = Duration::from_millis(80);
    const SAMPLES: u32 = SAMPLE_RATE * 80 / 1_000;
    let delay = stream::once(async {
        sleep(Duration::from_millis(150)).await;
        Vec::new()
    });
    let letters: Vec<char> = text.chars().collect();
    let speech = stream::iter(letters).then(|letter| async move {
        sleep(LETTER_DURATION / 4).await;
        // A sawtooth wave whose pitch depends on the letter.
        let period = if letter.is_alphabetic() { 120 - u32::from(letter) % 32 } else { 1 };
        let level = |at: u32| i16::try_from(at % period * (8_000 / period)).unwrap_or(0);
        (0..SAMPLES).map(level).collect()
    });
    delay.chain(speech)
}
