//! An avatar in the caller's own LiveKit room: the token for it is minted here, and people join the room as they always do.
//!
//! `cargo run --example own_room`. With `LIVEAVATAR_API_KEY` set it needs `LIVEKIT_URL`, `LIVEKIT_API_KEY` and
//! `LIVEKIT_API_SECRET` too, of a server that LiveAvatar can reach; without, it runs against the mock, and nobody joins.

mod support;

use std::time::Duration;

use liveavatar_api::session::{Configuration, Custom, LiveKitServer, SANDBOX_AVATAR_ID};
use support::{Connected, connect};

/// How long the session may last at most.
const SESSION: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock } = connect().await?;
    let server = match mock {
        None => LiveKitServer::from_env()?,
        Some(_) => LiveKitServer::new("wss://livekit.example", "key", "secret")?,
    };

    // The token lets the avatar act in this room and do nothing else; it outlives the session a little.
    let room = server.room("lobby", SESSION + Duration::from_secs(60))?;
    let configuration = Configuration::<Custom>::build(|custom| {
        custom
            .avatar_id(SANDBOX_AVATAR_ID)
            .is_sandbox(true)
            .max_session_duration(SESSION.as_secs().try_into().ok())
            .livekit_config(Some(room))
    })?;

    let session = client.open(&configuration).await?;
    let started = session.started();
    let address = started.livekit_url.as_deref().unwrap_or("the room's server");
    println!("session {}: the avatar joins `lobby` at {address}", session.id());
    // Your worker publishes speech here, over the socket of `Session::connect` or into the room.
    session.stop().await?;
    println!("the avatar has left");
    Ok(())
}
