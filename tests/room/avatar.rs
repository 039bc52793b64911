//! The avatar of LITE sessions says what the command socket receives.

use std::f32::consts::TAU;

use futures_util::{SinkExt as _, StreamExt as _};
use liveavatar_api::realtime::lite::LiteCommand;
use opus_rs::OpusDecoder;
use str0m::media::MediaKind;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{Session, is_loud, lite, server};
use crate::peer::{Event, Path, Peer};

const RATE: f32 = 24_000.0;
const HERTZ: f32 = 1000.0;

async fn socket(session: &Session) -> WebSocketStream<TcpStream> {
    let url = session.text("ws_url");
    let stream = TcpStream::connect(url.split('/').nth(2).unwrap()).await.unwrap();
    client_async(url, stream).await.unwrap().0
}

async fn wait_for(socket: &mut WebSocketStream<TcpStream>, kind: &str) {
    while !socket.next().await.unwrap().unwrap().to_text().unwrap().contains(kind) {}
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a short tone")]
fn tone(seconds: f32) -> LiteCommand {
    let samples = (0..(RATE * seconds) as i32).map(|index| {
        let sample = (TAU * HERTZ * index as f32 / RATE).sin() * 8000.0;
        (sample as i16).to_le_bytes()
    });
    LiteCommand::Speak(samples.flatten().collect::<Vec<u8>>().into())
}

/// The strength of a frequency in 48 kHz sound.
#[expect(clippy::cast_precision_loss, reason = "few samples")]
fn strength(samples: &[f32], hertz: f32) -> f32 {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let phase = TAU * hertz * index as f32 / 48_000.0;
        sine += sample * phase.sin();
        cosine += sample * phase.cos();
    }
    (sine * sine + cosine * cosine).sqrt() / samples.len() as f32
}

async fn hear(peer: &mut Peer, packets: usize) -> Vec<f32> {
    let mut decoder = OpusDecoder::new(48_000, 1).unwrap();
    let mut heard = Vec::new();
    while heard.len() < packets * 960 {
        let packet = peer
            .wait_for(|event| match event {
                Event::Media { kind: MediaKind::Audio, ref data, .. } if is_loud(&event) => {
                    Some(data.clone())
                }
                _ => None,
            })
            .await;
        let mut samples = vec![0.0; 960];
        assert_eq!(decoder.decode(&packet, 960, &mut samples), Ok(960));
        heard.extend(samples);
    }
    heard
}

#[tokio::test]
async fn the_audio_of_the_command_socket_is_heard_in_the_room() {
    let server = server().await;
    let session = lite(&server).await;
    let mut peer = session.join(Path::Dual).await;
    peer.wait_for_picture().await;
    let mut socket = socket(&session).await;
    wait_for(&mut socket, "\"connected\"").await;
    socket.send(Message::text(tone(1.0).encode("u1"))).await.unwrap();
    socket.send(Message::text(LiteCommand::SpeakEnd.encode("u1"))).await.unwrap();
    wait_for(&mut socket, "agent.speak_started").await;
    let heard = hear(&mut peer, 20).await;
    let [tone, other] = [HERTZ, 700.0].map(|hertz| strength(&heard[4800..], hertz));
    assert!(tone > 0.08 && other < tone / 20.0, "{tone} at {HERTZ} Hz, {other} next to it");
    wait_for(&mut socket, "agent.speak_ended").await;
    let mut silent = 0;
    while silent < 10 {
        let event = peer.wait_for(Some).await;
        silent +=
            usize::from(matches!(event, Event::Media { kind: MediaKind::Audio, .. }) && !is_loud(&event));
    }
}

#[tokio::test]
async fn an_interrupt_on_the_command_socket_silences_the_room() {
    let server = server().await;
    let session = lite(&server).await;
    let mut peer = session.join(Path::Single).await;
    peer.wait_for_picture().await;
    let mut socket = socket(&session).await;
    wait_for(&mut socket, "\"connected\"").await;
    socket.send(Message::text(tone(10.0).encode("u1"))).await.unwrap();
    peer.wait_for_sound().await;
    socket.send(Message::text(LiteCommand::Interrupt.encode("i1"))).await.unwrap();
    peer.wait_for(|event| matches!(event, Event::Speaking(false)).then_some(())).await;
    let (mut packets, mut loud) = (0, 0);
    while packets < 20 {
        let event = peer.wait_for(Some).await;
        packets += usize::from(matches!(event, Event::Media { kind: MediaKind::Audio, .. }));
        loud += usize::from(is_loud(&event));
    }
    assert!(loud <= 5, "{loud} loud packets after the interrupt");
}
