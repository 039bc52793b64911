//! `speak`: playing a WAV file in a new LITE session.

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;
use futures_util::{Stream, stream};
use liveavatar_api::Error;
use liveavatar_api::realtime::audio::{self, Wav};
use liveavatar_api::realtime::lite::{Socket, SpeechEnd, SpeechOutcome};
use liveavatar_api::session::{AnyConfiguration, EndReason, Mintable, SuppliesAudio};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::check;
use crate::ending::end_reason;
use crate::failure::Failure;
use crate::foreground_session::{
    self, ForegroundSession, Outcome, SupervisionOptions, sandbox_configuration,
};
use crate::input::open;
use crate::output::Output;
use crate::service::Service;

/// Audio chunks that are read ahead of the socket.
const READ_AHEAD: usize = 8;

const STATUS_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Args)]
pub(crate) struct Speak {
    /// Mono or stereo WAV file of any sample rate, or `-` for standard input
    file: PathBuf,
    /// Session configuration file (LITE or CUSTOM) to use instead of the sandbox avatar
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
}

type File = Wav<BufReader<Box<dyn Read + Send>>>;

impl Speak {
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        // Read the file first: a started session costs credits.
        let wav = Wav::new(BufReader::new(open(&self.file, "audio")?))?;
        let configuration = match &self.session {
            Some(file) => check::configuration(file, output)?,
            None => sandbox_configuration()?.into(),
        };
        match configuration {
            AnyConfiguration::Lite(configuration) => run(service, &configuration, wav, output).await,
            AnyConfiguration::Custom(configuration) => run(service, &configuration, wav, output).await,
            _ => Err(Failure::usage(
                "a FULL session does not take audio: the service generates its speech",
                "use a LITE or CUSTOM configuration with --session, or omit it to use the sandbox avatar",
            )),
        }
    }
}

async fn run<C: Mintable<Mode: SuppliesAudio>>(
    service: &Service,
    configuration: &C,
    wav: File,
    output: Output,
) -> Result<(), Failure> {
    let options = SupervisionOptions::default();
    let Some(mut foreground) = foreground_session::open(service, configuration, options, output).await?
    else {
        return Ok(());
    };
    let spoken = speak(&mut foreground, wav, output).await;
    let session_end = foreground.stop().await;
    let incomplete = |message: &str, hint: &str| Err(Failure::incomplete(message, hint, Value::Null));
    match (spoken?.map(|spoken| spoken.end), session_end?) {
        (Some(SpeechEnd::Finished), _) | (None, EndReason::Stopped) => Ok(()),
        (Some(SpeechEnd::Failed(error)), _) => Err(error.into()),
        (Some(SpeechEnd::Interrupted), EndReason::Stopped) => {
            incomplete("the service interrupted the speech", "run the command again")
        }
        (Some(_), EndReason::Stopped) => incomplete(
            "the connection closed before the service confirmed the end of the speech",
            "run the command again; `liveavatar doctor` checks the web socket",
        ),
        (_, reason) => incomplete(
            &format!(
                "the session ended before the speech did: {}",
                end_reason(&reason).as_deref().unwrap_or("no reason given")
            ),
            "sandbox sessions end after a minute; use --session for a longer one",
        ),
    }
}

/// Returns how the speech ended; none if Ctrl-C or the end of the session came first.
async fn speak<M: SuppliesAudio>(
    foreground: &mut ForegroundSession<M>,
    wav: File,
    output: Output,
) -> Result<Option<SpeechOutcome>, Failure> {
    let session = foreground.session();
    let socket: Socket = match foreground.run(session.connect()).await {
        Outcome::Done(socket) => socket?,
        Outcome::Interrupted | Outcome::SessionEnded => return Ok(None),
    };
    let total = wav.duration();
    if let (Some(total), Some(left)) = (total, session.time_left())
        && left < total
    {
        let [total, left] = [total, left].map(|duration| duration.as_secs_f64());
        output.progress(&format!("the audio lasts {total:.0} s, but the session ends in {left:.0} s"));
    }
    // Audio from a pipe often does not say how long it is.
    let of_total = total.map(|total| format!(" of {:.0}", total.as_secs_f64())).unwrap_or_default();
    let sent = Arc::new(AtomicUsize::new(0));
    let mut speech = socket.speak(chunks(wav, Arc::clone(&sent)));
    let speaking = async {
        let mut ticks = tokio::time::interval(STATUS_INTERVAL);
        loop {
            tokio::select! {
                spoken = &mut speech => return spoken,
                _ = ticks.tick() => {
                    let sent = audio::duration(sent.load(Ordering::Relaxed));
                    let text = format!("speaking: {:.0}{of_total} s sent", sent.as_secs_f64());
                    match total {
                        Some(total) => output.status_of(&text, milliseconds(sent), milliseconds(total)),
                        None => output.status(&text),
                    }
                }
            }
        }
    };
    match foreground.run(speaking).await {
        Outcome::Done(spoken) => {
            if spoken.end.is_finished() {
                let seconds = spoken.audio.as_secs_f64();
                let first = spoken.first_frame_after.map(|after| after.as_secs_f64());
                output.print_as(
                    json!({"event": "spoken", "seconds": seconds, "first_frame_after": first}),
                    &format!("spoke for {seconds:.1} s"),
                );
            }
            Ok(Some(spoken))
        }
        Outcome::SessionEnded => Ok(None),
        Outcome::Interrupted => {
            // This fails only if the socket is already closed.
            let _ = socket.interrupt();
            Ok(None)
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads the audio on a thread, because standard input may block.
fn chunks(wav: File, sent: Arc<AtomicUsize>) -> impl Stream<Item = Result<Vec<u8>, Error>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        for chunk in wav {
            if sender.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    stream::unfold((receiver, sent), |(mut receiver, sent)| async move {
        let chunk: Result<Vec<u8>, Error> = receiver.recv().await?;
        if let Ok(chunk) = &chunk {
            sent.fetch_add(chunk.len(), Ordering::Relaxed);
        }
        Some((chunk, (receiver, sent)))
    })
}
