//! Lists avatars, voices and language models, and shows how pages are fetched.
//!
//! Run it with `cargo run --example catalogue`.

mod support;

use futures_util::TryStreamExt as _;
use liveavatar_api::types::{AvatarStatus, AvatarType};
use liveavatar_api::{Paged as _, Sent as _};
use support::{Connected, connect};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;

    // The stream fetches a page only when it is needed.
    let mut avatars = std::pin::pin!(client.list_public_avatars().page_size(100).items());
    while let Some(avatar) = avatars.try_next().await? {
        let ready = avatar.status.as_ref().is_some_and(|status| *status == AvatarStatus::Active);
        let image = avatar.type_.as_ref().is_some_and(|kind| *kind == AvatarType::Image);
        println!("{} {}{}", avatar.id, avatar.name, if ready { "" } else { " (not ready)" });
        if image && avatar.default_voice.is_none() {
            println!("  no default voice: a FULL session with this avatar needs a `voice_id`");
        }
    }

    let voices = client.list_voices().page_size(100).all().await?;
    println!("{} voices", voices.len());

    // `send` returns the whole response; `data` would return only its payload.
    let models = client.list_llm_models().send().await.map_err(liveavatar_api::Error::from)?;
    println!("models: {:?} (attempts: {})", models.data(), models.attempts());
    Ok(())
}
