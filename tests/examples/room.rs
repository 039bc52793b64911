//! Joins the room of a FULL session of the mock, lets the avatar speak, and saves what was seen and heard.
//!
//! Run it with `cargo run -p liveavatar-tests --example room [FOLDER]`. It writes `avatar.ivf` and `avatar.wav`, which any player
//! opens, to the folder, or else to the one for temporary files. The participant in `tests/room/peer.rs` speaks just enough of
//! LiveKit's protocol for a room on this machine. Use the `livekit` crate for the service.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use liveavatar_api::realtime::full::{FullCommand, FullEvent, FullEventKind};
use liveavatar_api::session::AnyConfiguration;
use liveavatar_mock::Server;
use opus_rs::OpusDecoder;
use str0m::media::MediaKind;

#[path = "../room/peer.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod peer;

use peer::{Event, Failure, Path, Peer};

const CONFIGURATION: &str = include_str!("../../liveavatar-api/examples/full-sandbox.json");
/// Of the sound, in samples a second.
const RATE: u16 = 48_000;
/// Samples of a packet of 20 ms.
const PACKET: usize = 960;
/// Of the picture: width and height in pixels, and frames a second.
const PICTURE: (u16, u16, u32) = (320, 240, 15);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let server = Server::builder().room().start().await?;
    let configuration = AnyConfiguration::from_json(CONFIGURATION)?;
    let token = server.client()?.mint(&configuration).await?;
    let started = token.start().await?;
    let url = started.livekit_url.ok_or("the session has no room")?;
    let client_token = started.livekit_client_token.ok_or("the session has no token for its room")?;
    let mut room = Peer::join(&url, client_token.expose(), Path::Dual).await?;

    let mut decoder = OpusDecoder::new(i32::from(RATE), 1)?;
    let (mut sound, mut picture) = (Vec::new(), Vec::new());
    loop {
        match room.wait_for(Some).await {
            Event::Ready => {
                let command =
                    FullCommand::SpeakText("Good morning from a room on this machine.".into()).packet();
                room.send(command.topic, command.payload);
            }
            Event::Data { topic, payload, .. } => {
                let Some(event) = FullEvent::decode(&topic, &payload)? else { continue };
                println!("{}", event.event_type);
                if event.kind == FullEventKind::AvatarSpeakEnded {
                    break;
                }
            }
            Event::Media { kind: MediaKind::Audio, data, .. } => {
                let mut samples = [0.0; PACKET];
                decoder.decode(&data, PACKET, &mut samples)?;
                sound.extend(samples);
            }
            Event::Media { data, .. } => picture.push(data),
            _ => {}
        }
    }
    room.leave();
    server.shutdown().await;
    for (name, bytes) in [("avatar.wav", wav(&sound)?), ("avatar.ivf", ivf(&picture)?)] {
        let path = folder.join(name);
        fs::write(&path, bytes)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// Returns a WAV file with samples of 16 bits.
fn wav(samples: &[f32]) -> Result<Vec<u8>, Failure> {
    let size = u32::try_from(samples.len() * 2)?;
    let rate = u32::from(RATE);
    let mut file = b"RIFF".to_vec();
    file.extend((size + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let samples = samples.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes());
    file.extend(samples);
    Ok(file)
}

/// Returns an IVF file with frames of VP8.
fn ivf(frames: &[Arc<[u8]>]) -> Result<Vec<u8>, Failure> {
    let (width, height, rate) = PICTURE;
    let mut file = b"DKIF\0\0\x20\0VP80".to_vec();
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend(u32::try_from(frames.len())?.to_le_bytes());
    file.extend([0; 4]);
    for (index, frame) in (0_u64..).zip(frames) {
        file.extend(u32::try_from(frame.len())?.to_le_bytes());
        file.extend(index.to_le_bytes());
        file.extend_from_slice(frame);
    }
    Ok(file)
}
