//! Turns the transcript of one session into the memory of the next.
//!
//! Run it with `cargo run --example transcript_to_memory`.

mod support;

use liveavatar_api::session::{FullSession, SANDBOX_AVATAR_ID};
use liveavatar_api::types::{AvatarPersona, MemoryRef};
use support::{Connected, connect};

fn configuration(memory: Option<&str>) -> Result<FullSession, Box<dyn std::error::Error>> {
    let configuration = FullSession::builder()
        .avatar_id(SANDBOX_AVATAR_ID)
        .is_sandbox(true)
        .avatar_persona(AvatarPersona::builder().language("en"));
    Ok(match memory {
        Some(id) => configuration.memory(MemoryRef::builder().session_memory_id(id)).build()?,
        None => configuration.build()?,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;

    let session = client.open(&configuration(None)?).await?;
    session.stop().await?;
    for line in session.transcript().await? {
        println!("{}: {}", line.role, line.transcript);
    }

    // A memory requires a FULL session that has ended and has a transcript.
    let memory = client.create_memory().memory_type("session").session_id(session.id()).await?;
    let next = client.mint(&configuration(Some(&memory.id))?).await?;
    println!("session {} will remember this conversation", next.id());
    Ok(())
}
