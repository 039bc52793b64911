//! Prepares a FULL session with your own language model and a context with template values.
//!
//! Run it with `cargo run --example own_llm`. The key of the model is read from `OPENAI_API_KEY`.

mod support;

use std::collections::BTreeMap;

use liveavatar_api::session::{Configuration, Full, SANDBOX_AVATAR_ID};
use liveavatar_api::types::{
    AvatarPersona, CreateContext, CreateLlmConfiguration, CreateSecretRequest, SecretType,
};
use liveavatar_api::{Call as _, Secret, Uuid};
use support::{Connected, connect};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    let key = std::env::var("OPENAI_API_KEY").map_or_else(|_| Secret::from("sk-example"), Secret::from);

    let secret = CreateSecretRequest::builder()
        .secret_name("openai")
        .secret_type(SecretType::OpenaiApiKey)
        .secret_value(key);
    let secret = client.create_secret().body(secret).data().await?;

    // The service checks here that the secret exists. It checks the configuration only when a session starts.
    let llm = CreateLlmConfiguration::builder()
        .display_name("own model")
        .model_name("gpt-4o-mini")
        .secret_id(secret.id.clone());
    let llm = client.create_llm_configuration().body(llm).data().await?;

    let context = CreateContext::builder()
        .name("greeter".to_owned())
        .prompt("You greet ${name} and answer in one sentence.")
        .opening_text("Hello ${name}!".to_owned());
    let context = client.create_context().body(context).data().await?;
    println!("the context needs values for {:?}", context.required_dynamic_variables);

    let persona: AvatarPersona = AvatarPersona::builder().context_id(context.id).try_into()?;
    let llm_id: Uuid = llm.id.parse()?;
    let configuration = Configuration::<Full>::build(|full| {
        full.avatar_id(SANDBOX_AVATAR_ID)
            .is_sandbox(true)
            .avatar_persona(persona)
            .dynamic_variables(BTreeMap::from([("name".to_owned(), "Ada".to_owned())]))
            // The service ignores this field inside `avatar_persona`.
            .llm_configuration_id(llm_id)
    })?;
    let minted = client.mint(&configuration).await?;
    println!("created a token for session {} with the model {}", minted.id(), llm.id);

    client.delete_context().context_id(context.id).data().await?;
    client.delete_llm_configuration().config_id(llm.id).data().await?;
    client.delete_secret().secret_id(secret.id).data().await?;
    Ok(())
}
