//! What was said in one session becomes the memory of the next.
//!
//! `cargo run --example transcript_to_memory`

mod support;

use liveavatar_api::session::{Configuration, Full, SANDBOX_AVATAR_ID};
use liveavatar_api::types::{AvatarPersona, CreateSessionMemory, MemoryRef, MemoryType};
use liveavatar_api::{Call as _, Uuid};
use support::{Connected, connect};

fn configuration(memory: Option<Uuid>) -> Result<Configuration<Full>, Box<dyn std::error::Error>> {
    let persona: AvatarPersona = AvatarPersona::builder().language("en".to_owned()).try_into()?;
    let memory = memory.map(|id| MemoryRef::builder().session_memory_id(id).try_into()).transpose()?;
    Ok(Configuration::<Full>::build(|full| {
        full.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).avatar_persona(persona).memory(memory)
    })?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;

    let session = client.open(&configuration(None)?).await?;
    session.stop().await?;
    for line in session.transcript().await? {
        println!("{}: {}", line.role, line.transcript);
    }

    // The session must have ended, in FULL mode, and have a transcript.
    let memory = CreateSessionMemory::builder().memory_type(MemoryType::Session).session_id(session.id());
    let memory = client.create_memory().body(memory).data().await?;
    let next = client.mint(&configuration(Some(memory.id.parse()?))?).await?;
    println!("session {} remembers it", next.id());
    Ok(())
}
