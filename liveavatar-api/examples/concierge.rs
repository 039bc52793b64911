//! A hotel concierge: a FULL session that thinks with your own language model.
//!
//! Run it with `cargo run --example concierge`. The key of the model is read from `OPENAI_API_KEY`.

mod support;

use std::time::Duration;

use liveavatar_api::session::{FullSession, SANDBOX_AVATAR_ID};
use liveavatar_api::types::AvatarPersona;
use support::{Connected, connect};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock } = connect().await?;
    let key = std::env::var("OPENAI_API_KEY").unwrap_or_else(|_| "sk-example".to_owned());

    let secret = client
        .create_secret()
        .secret_name("concierge")
        .secret_type("OPENAI_API_KEY")
        .secret_value(key)
        .send()
        .await?;
    let llm = client
        .create_llm_configuration()
        .display_name("concierge")
        .model_name("gpt-4o-mini")
        .secret_id(&secret.id)
        .send()
        .await?;
    let context = client
        .create_context()
        .name("concierge")
        .prompt("You are the concierge of ${hotel}. Answer in one sentence.")
        .opening_text("Welcome to ${hotel}!")
        .send()
        .await?;

    let config = FullSession::builder()
        .avatar_id(SANDBOX_AVATAR_ID)
        .is_sandbox(true)
        // The service ignores this field inside `avatar_persona`, and checks only at the start that the configuration exists.
        .llm_configuration_id(&llm.id)
        .avatar_persona(AvatarPersona::builder().context_id(context.id).language("en"))
        .dynamic_variables([("hotel", "the Grand")])
        .build()?;
    let session = client.open(&config).await?;
    println!("guests join {:?}", session.started().livekit_url);
    tokio::select! {
        // The mock has its conversation at once.
        () = tokio::time::sleep(Duration::ZERO), if mock.is_some() => {}
        reason = session.ended() => println!("ended: {:?}", reason?),
        _ = tokio::signal::ctrl_c() => println!("interrupted"),
    }
    session.stop().await?;
    for line in session.transcript().await? {
        println!("{}: {}", line.role, line.transcript);
    }

    client.delete_context().context_id(context.id).send().await?;
    client.delete_llm_configuration().config_id(llm.id).send().await?;
    client.delete_secret().secret_id(secret.id).send().await?;
    Ok(())
}
