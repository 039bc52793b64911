//! Prepares a FULL session with your own language model and a context with template values.
//!
//! Run it with `cargo run --example own_llm`. The key of the model is read from `OPENAI_API_KEY`.

mod support;

use liveavatar_api::session::{FullSession, SANDBOX_AVATAR_ID};
use liveavatar_api::types::{AvatarPersona, SecretType};
use support::{Connected, connect};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    let key = std::env::var("OPENAI_API_KEY").unwrap_or_else(|_| "sk-example".to_owned());

    let secret = client.create_secret().secret_name("openai").secret_type(SecretType::OpenaiApiKey);
    let secret = secret.secret_value(key).await?;

    // The service checks here that the secret exists. It checks the configuration only when a session starts.
    let llm = client
        .create_llm_configuration()
        .display_name("own model")
        .model_name("gpt-4o-mini")
        .secret_id(&secret.id)
        .await?;

    let context = client
        .create_context()
        .name("greeter")
        .prompt("You greet ${name} and answer in one sentence.")
        .opening_text("Hello ${name}!")
        .await?;
    println!("the context needs values for {:?}", context.required_dynamic_variables);

    let configuration = FullSession::builder()
        .avatar_id(SANDBOX_AVATAR_ID)
        .is_sandbox(true)
        .avatar_persona(AvatarPersona::builder().context_id(context.id))
        .dynamic_variables([("name", "Ada")])
        // The service ignores this field inside `avatar_persona`.
        .llm_configuration_id(&llm.id)
        .build()?;
    let minted = client.mint(&configuration).await?;
    println!("created a token for session {} with the model {}", minted.id(), llm.id);

    client.delete_context().context_id(context.id).await?;
    client.delete_llm_configuration().config_id(llm.id).await?;
    client.delete_secret().secret_id(secret.id).await?;
    Ok(())
}
