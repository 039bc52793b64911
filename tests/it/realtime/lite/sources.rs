//! Sources of speech: streams, converters and WAV, and how they fail.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use liveavatar_api::ErrorKind;
use liveavatar_api::realtime::audio::{self, Audio, Converter, Wav};
use liveavatar_api::realtime::lite::{LiteEventKind, Socket, SpeechOutcome};
use liveavatar_api::session::LiteSession;
use liveavatar_mock::{EventStyle, Server};
use liveavatar_tests::client;
use tokio::time::sleep;

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Starts a session of the mock and connects.
async fn connect() -> (Server, Socket) {
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let configuration = LiteSession::builder().avatar_id(ID).build().unwrap();
    let token = client(&server).mint(&configuration).await.unwrap();
    let socket = Socket::connect(&token.start().await.unwrap().ws_url.unwrap()).await.unwrap();
    (server, socket)
}

/// Lets time pass only while everything waits.
async fn paused<T>(future: impl Future<Output = T>) -> T {
    tokio::time::pause();
    let output = future.await;
    tokio::time::resume();
    output
}

async fn speak(audio: impl Stream<Item: Audio> + Send + 'static) -> SpeechOutcome {
    let (_server, socket) = connect().await;
    paused(socket.speak(audio)).await
}

/// Returns the start of a file of every format that is detected.
fn containers() -> [(&'static str, Vec<u8>); 13] {
    let start = |bytes: &[u8]| [bytes, &[0; 64]].concat();
    let frames = |header: &[u8], length: usize| {
        let mut frame = header.to_vec();
        frame.resize(length, 0);
        frame.repeat(3)
    };
    [
        ("WAV", start(b"RIFF\x24\xF0\xFF\x7FWAVEfmt ")),
        ("Ogg", start(b"OggS\0\x02")),
        ("FLAC", start(b"fLaC\0\0\0\x22")),
        ("MP3", start(b"ID3\x04\0\0")),
        ("WebM", start(b"\x1A\x45\xDF\xA3\x01\0\0\0")),
        ("AIFF", start(b"FORM\0\0\x10\0AIFF")),
        ("CAF", start(b"caff\0\x01\0\0")),
        ("MP4", start(b"\0\0\0\x20ftypM4A ")),
        // Without a file header: 44.1 kHz at 128 kbit/s, 24 kHz at 160 kbit/s as OpenAI sends it, padded, and 8 kHz at 8 kbit/s.
        ("MP3", frames(b"\xFF\xFB\x90\x00", 417)),
        ("MP3", frames(b"\xFF\xF3\xE4\xC4", 480)),
        ("MP3", frames(b"\xFF\xFB\x92\x00", 418)),
        ("MP3", frames(b"\xFF\xE3\x18\xC4", 72)),
        ("AAC", frames(b"\xFF\xF1\x50\x80\x20\x1F\xFC", 256)),
    ]
}

#[tokio::test]
async fn a_container_is_detected_over_pieces_and_pauses() {
    for (name, file) in containers() {
        for (size, pause) in [(1, 0), (1, 250), (3, 0), (3, 250), (5, 0), (64, 0), (5_000, 0)] {
            let pieces: Vec<Vec<u8>> = file.chunks(size).map(<[u8]>::to_vec).collect();
            let pieces = stream::iter(pieces).then(move |piece| async move {
                sleep(Duration::from_millis(pause)).await;
                piece
            });
            let outcome = speak(pieces).await;
            let error =
                outcome.end.error().unwrap_or_else(|| panic!("{name} in pieces of {size}: {outcome:?}"));
            assert!(error.is_invalid_request() && error.to_string().contains(name), "{name}: {error}");
            assert!(!error.may_have_been_sent());
            assert_eq!(outcome.audio, Duration::ZERO, "{name} in pieces of {size}, every {pause} ms");
        }
    }
}

#[tokio::test]
async fn audio_that_only_begins_like_a_container_is_spoken() {
    for start in [&b"RIF"[..], b"RIFE", b"Og", b"ID", b"\0\0\0\x20ftyx", b"\xFF\xFB\x90\x00"] {
        let audio = [start, &[0; 4_800]].concat();
        let expected = audio::duration(audio.len());
        let pieces: Vec<_> = audio.chunks(1).map(<[u8]>::to_vec).collect();
        let outcome = speak(stream::iter(pieces)).await;
        assert!(outcome.end.is_finished(), "{start:?}: {outcome:?}");
        assert_eq!(outcome.audio, expected, "{start:?}");
        // Also if nothing else follows.
        let outcome = speak(stream::iter([start.to_vec()])).await;
        assert!(outcome.end.is_finished(), "{start:?}: {outcome:?}");
    }
}

/// Speaks and returns the ids of the utterances that are warned of, and the messages.
async fn warnings(audio: impl Stream<Item: Audio> + Send + 'static) -> Vec<String> {
    let (_server, socket) = connect().await;
    let events = socket.events();
    let speech = socket.speak(audio);
    let id = speech.id().to_owned();
    assert!(paused(speech).await.end.is_finished());
    socket.close().await;
    let warnings = events.filter_map(|event| async move {
        match event.kind {
            LiteEventKind::Warning(notice) => {
                assert_eq!((event.event_type.as_str(), event.event_id), ("warning", notice.event_id.clone()));
                Some((notice.message, notice.event_id))
            }
            _ => None,
        }
    });
    let warnings: Vec<_> = warnings.collect().await;
    assert!(warnings.iter().all(|(_, warned)| warned.as_ref() == Some(&id)));
    warnings.into_iter().map(|(message, _)| message).collect()
}

#[tokio::test]
async fn half_a_sample_at_the_end_is_a_warning() {
    let expected = "the audio ended with half a sample, so its bytes may be misaligned";
    assert_eq!(warnings(stream::iter([vec![0_u8; 4_801]])).await, [expected]);
    assert_eq!(warnings(stream::iter([vec![0_u8; 4_800], vec![0_u8]])).await, [expected]);
    assert_eq!(warnings(stream::iter([vec![0_u8]])).await, [expected]);
    assert_eq!(warnings(stream::iter([vec![0_u8; 4_801], vec![0_u8; 1]])).await, [""; 0]);
    assert_eq!(warnings(stream::iter([vec![0_u8; 4_800]])).await, [""; 0]);
    for rate in [24_000, 44_100] {
        let converter = || Converter::new(rate, 1).unwrap();
        assert_eq!(warnings(converter().stream(stream::iter([vec![0_u8; 8_821]]))).await, [expected]);
        assert_eq!(
            warnings(converter().f32_bytes().stream(stream::iter([vec![0_u8; 8_823]]))).await,
            [expected]
        );
        assert_eq!(warnings(converter().stream(stream::iter([vec![0_u8; 8_820]]))).await, [""; 0]);
    }
}

/// A text-to-speech service whose connection breaks.
fn failing<E: Send + 'static>(milliseconds: u64, error: E) -> impl Stream<Item = Result<Vec<u8>, E>> + Send {
    let audio = vec![0; audio::bytes(Duration::from_millis(milliseconds))];
    let pieces: Vec<_> = audio.chunks(960).map(|piece| Ok(piece.to_vec())).collect();
    stream::iter(pieces).chain(stream::iter([Err(error)]))
}

#[tokio::test]
async fn a_source_that_fails_ends_the_utterance_as_such() {
    let boxed = |text: &str| -> Box<dyn StdError + Send + Sync> { text.into() };
    for milliseconds in [0, 20, 100, 1_500, 10_000] {
        let converted = Converter::new(24_000, 1).unwrap().stream(failing(milliseconds, boxed("hoarse")));
        let outcomes = [
            speak(failing(milliseconds, io::Error::other("hoarse"))).await,
            speak(failing(milliseconds, boxed("hoarse"))).await,
            speak(failing(milliseconds, "hoarse".to_owned())).await,
            speak(converted).await,
        ];
        for outcome in outcomes {
            let error = outcome.end.error().unwrap();
            assert_eq!(error.kind(), ErrorKind::AudioSource);
            assert_eq!(error.to_string(), "the source of the audio failed");
            assert_eq!(error.source().unwrap().to_string(), "hoarse");
            // What arrived before the failure was spoken.
            assert_eq!(outcome.audio, Duration::from_millis(milliseconds));
            assert_eq!(error.may_have_been_sent(), milliseconds > 0);
        }
    }
}

#[tokio::test]
async fn the_next_utterance_is_spoken_after_a_source_failed() {
    let (_server, socket) = connect().await;
    let first = socket.speak(failing(1_500, "hoarse"));
    let second = socket.speak(stream::iter([vec![0_i16; 24_000]]));
    assert!(paused(first).await.end.error().unwrap().is_audio_source());
    assert!(paused(second).await.end.is_finished());
}

#[tokio::test]
async fn streams_of_any_samples_are_spoken() {
    let second = Duration::from_secs(1);
    let floats = stream::iter([vec![0.1_f32; 48_000], vec![0.2; 48_000]]);
    let outcomes = [
        speak(stream::iter([vec![0.1_f32; 24_000]])).await,
        speak(Converter::new(48_000, 2).unwrap().stream(floats)).await,
        speak(
            Converter::new(22_050, 1)
                .unwrap()
                .stream(stream::iter([Ok::<_, io::Error>(vec![1_i16; 22_050])])),
        )
        .await,
        speak(Converter::new(8_000, 1).unwrap().read(&[1; 16_000][..])).await,
        speak(Converter::new(16_000, 1).unwrap().f32_bytes().read(io::Cursor::new(vec![0; 64_000]))).await,
    ];
    for outcome in outcomes {
        assert!(outcome.end.is_finished(), "{outcome:?}");
        assert_eq!(outcome.audio, second);
    }
}

/// What `espeak-ng --stdout` writes: 22,050 Hz and the size 0x7FFFF000.
fn espeak(samples: usize) -> Vec<u8> {
    let header = b"RIFF\x24\xF0\xFF\x7FWAVEfmt \x10\0\0\0\x01\0\x01\0\x22\x56\0\0\x44\xAC\0\0\x02\0\x10\0data\0\xF0\xFF\x7F";
    [&header[..], &vec![1; 2 * samples]].concat()
}

#[tokio::test]
async fn a_streamed_wav_is_spoken_to_its_end() {
    let file = espeak(22_050);
    let pieces = file.chunks(1_000).map(|piece| Ok::<_, io::Error>(piece.to_vec())).collect::<Vec<_>>();
    let reader = io::Cursor::new(file);
    for outcome in [speak(Wav::stream(stream::iter(pieces))).await, speak(Wav::read(reader)).await] {
        assert!(outcome.end.is_finished(), "{outcome:?}");
        // The duration of each frame is rounded down to nanoseconds.
        assert_eq!((outcome.audio + Duration::from_micros(1)).as_millis(), 1_000);
    }
}

#[tokio::test]
async fn a_wav_that_fails_is_spoken_as_far_as_it_goes() {
    let mut announced = espeak(22_050);
    announced[40..44].copy_from_slice(&88_200_u32.to_le_bytes());
    // Another file follows, whose format is not supported.
    let mut joined = espeak(22_050);
    joined[40..44].copy_from_slice(&44_100_u32.to_le_bytes());
    let mut second = espeak(0);
    second[20] = 7;
    joined.extend(second);
    let pieces = [Ok(espeak(22_050)), Err(io::Error::other("the connection broke"))];
    let outcomes = [
        speak(Wav::read(io::Cursor::new(announced))).await,
        speak(Wav::stream(stream::iter(pieces))).await,
        speak(Wav::read(io::Cursor::new(joined))).await,
        speak(Wav::read(&b"ID3 something"[..])).await,
    ];
    let shown = outcomes.map(|outcome| {
        let error = outcome.end.error().unwrap();
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{:?}, {:?} spoken: {error}{cause}", error.kind(), outcome.audio)
    });
    insta::assert_snapshot!(shown.join("\n"), @r"
    AudioSource, 1s spoken: the WAV file is truncated: the last 44100 bytes of its audio are missing
    AudioSource, 1s spoken: the source of the audio failed: the connection broke
    AudioSource, 1s spoken: the source of the audio failed: the format of the WAV file is not supported; convert it to 16-bit PCM
    InvalidRequest, 0ns spoken: the file is not a WAV file; convert it to WAV or PCM
    ");
}
