//! Speaking a file: a LITE session of its own, from token to stop.

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
use liveavatar_api::session::{
    AnyConfiguration, Configuration, EndReason, Lite, Mintable, SANDBOX_AVATAR_ID, SuppliesAudio,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::check;
use crate::connect::{Service, open};
use crate::foreground::{self, Beside, Foreground, Upkeep, said};
use crate::output::{Failure, Output};

/// Pieces of audio that wait for the socket; it takes no more than a few seconds ahead of what is heard.
const PIECES: usize = 8;

/// How often the status line moves.
const TICK: Duration = Duration::from_millis(250);

#[derive(Args)]
pub(crate) struct Speak {
    /// The WAV file of any rate, with one or two channels; `-` for standard input
    file: PathBuf,
    /// The configuration of the session, LITE or CUSTOM, instead of the avatar of the sandbox
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
}

type File = Wav<BufReader<Box<dyn Read + Send>>>;

impl Speak {
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        // Before anything is started, which would cost.
        let wav = Wav::new(BufReader::new(open(&self.file, "the audio")?))?;
        let configuration = match &self.session {
            Some(file) => check::configuration(file, output)?,
            None => sandbox()?.into(),
        };
        match configuration {
            AnyConfiguration::Lite(configuration) => speak(service, &configuration, wav, output).await,
            AnyConfiguration::Custom(configuration) => speak(service, &configuration, wav, output).await,
            _ => Err(Failure::usage(
                "in FULL mode the service speaks, and takes no audio",
                "name a configuration of LITE or CUSTOM with --session, or leave it out for the sandbox",
            )),
        }
    }
}

/// The avatar that costs nothing.
pub(crate) fn sandbox() -> Result<Configuration<Lite>, Failure> {
    let configuration =
        Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true));
    configuration.map_err(|problems| Failure::Usage(problems.to_string(), None))
}

async fn speak<C: Mintable<Mode: SuppliesAudio>>(
    service: &Service,
    configuration: &C,
    wav: File,
    output: Output,
) -> Result<(), Failure> {
    let Some(mut foreground) = foreground::open(service, configuration, Upkeep::default(), output).await?
    else {
        return Ok(());
    };
    let spoken = spoken(&mut foreground, wav, output).await;
    let reason = foreground.leave().await;
    let unspoken = |how: &str, hint: &str| {
        Err(Failure::Failed { message: how.to_owned(), hint: hint.to_owned(), data: Value::Null })
    };
    match (spoken?.map(|spoken| spoken.end), reason?) {
        (Some(SpeechEnd::Finished), _) | (None, EndReason::Stopped) => Ok(()),
        (Some(SpeechEnd::Failed(error)), _) => Err(error.into()),
        (Some(SpeechEnd::Interrupted), EndReason::Stopped) => {
            unspoken("the service cut the avatar off", "speak it again")
        }
        (Some(_), EndReason::Stopped) => unspoken(
            "nothing was heard of the end of the speech: the connection broke",
            "speak it again; `liveavatar doctor` looks at the web socket too",
        ),
        (_, reason) => unspoken(
            &format!("the session ended before all was spoken: {}", said(&reason)),
            "the sandbox ends sessions after a minute; --session names another configuration",
        ),
    }
}

/// How the speech ended; none if Ctrl-C or the session's end came first.
async fn spoken<M: SuppliesAudio>(
    foreground: &mut Foreground<M>,
    wav: File,
    output: Output,
) -> Result<Option<SpeechOutcome>, Failure> {
    let session = foreground.session();
    let socket: Socket = match foreground.beside(session.connect()).await {
        Beside::Done(socket) => socket?,
        Beside::Interrupted | Beside::Ended => return Ok(None),
    };
    let whole = wav.duration();
    if let Some(left) = session.time_left().filter(|left| *left < whole) {
        output.progress(&format!(
            "the file plays for {:.0} s, and the session ends in {:.0} s",
            whole.as_secs_f64(),
            left.as_secs_f64()
        ));
    }
    let sent = Arc::new(AtomicUsize::new(0));
    let mut speech = socket.speak(pieces(wav, Arc::clone(&sent)));
    let speaking = async {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                spoken = &mut speech => return spoken,
                _ = ticks.tick() => {
                    let sent = audio::duration(sent.load(Ordering::Relaxed)).as_secs_f64();
                    output.status(&format!("speaking: {sent:.0} of {:.0} s are sent", whole.as_secs_f64()));
                }
            }
        }
    };
    match foreground.beside(speaking).await {
        Beside::Done(spoken) => {
            if matches!(spoken.end, SpeechEnd::Finished) {
                let seconds = spoken.audio.as_secs_f64();
                let first = spoken.first_frame_after.map(|after| after.as_secs_f64());
                output.told(
                    json!({"event": "spoken", "seconds": seconds, "first_frame_after": first}),
                    &format!("spoke for {seconds:.1} s"),
                );
            }
            Ok(Some(spoken))
        }
        Beside::Ended => Ok(None),
        Beside::Interrupted => {
            // A closed socket has nothing to say any more.
            let _ = socket.interrupt();
            Ok(None)
        }
    }
}

/// The audio, read by a thread of its own: standard input may make it wait.
fn pieces(wav: File, sent: Arc<AtomicUsize>) -> impl Stream<Item = Result<Vec<u8>, Error>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(PIECES);
    std::thread::spawn(move || {
        for piece in wav {
            if sender.blocking_send(piece).is_err() {
                return;
            }
        }
    });
    stream::unfold((receiver, sent), |(mut receiver, sent)| async move {
        let piece: Result<Vec<u8>, Error> = receiver.recv().await?;
        if let Ok(piece) = &piece {
            sent.fetch_add(piece.len(), Ordering::Relaxed);
        }
        Some((piece, (receiver, sent)))
    })
}
