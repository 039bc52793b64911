//! Adds an avatar to your own LiveKit room, with a LiveKit token that is created here.
//!
//! Run it with `cargo run --example own_room --features livekit`. If `LIVEAVATAR_API_KEY` is set, it also needs `LIVEKIT_URL`,
//! `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET` of a server that LiveAvatar can reach. Otherwise it uses a mock.

mod support;

use std::time::Duration;

use liveavatar_api::session::{CustomSession, LiveKitServer, SANDBOX_AVATAR_ID};
use support::{Connected, connect};

const SESSION_MAX: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock } = connect().await?;
    let server = match mock {
        None => LiveKitServer::from_env()?,
        Some(_) => LiveKitServer::new("wss://livekit.example", "key", "secret")?,
    };

    // The token is valid only for this room, and slightly longer than the session.
    let room = server.room("lobby", SESSION_MAX + Duration::from_secs(60))?;
    let configuration = CustomSession::builder()
        .avatar_id(SANDBOX_AVATAR_ID)
        .is_sandbox(true)
        .max_session_duration(SESSION_MAX.as_secs())
        .livekit_config(room)
        .build()?;

    let session = client.open(&configuration).await?;
    let started = session.started();
    let address = started.livekit_url.as_deref().unwrap_or("the room's server");
    println!("session {}: the avatar joins `lobby` at {address}", session.id());
    // Send speech here, through the socket of `Session::connect` or as an audio track in the room.
    session.stop().await?;
    println!("the avatar has left");
    Ok(())
}
