//! Turns the transcript of one session into the memory of the next.
//!
//! Run it with `cargo run --example transcript_to_memory`.

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

    // A memory requires a FULL session that has ended and has a transcript.
    let memory = CreateSessionMemory::builder().memory_type(MemoryType::Session).session_id(session.id());
    let memory = client.create_memory().body(memory).data().await?;
    let next = client.mint(&configuration(Some(memory.id.parse()?))?).await?;
    println!("session {} will remember this conversation", next.id());
    Ok(())
}
