//! Choosing an avatar and a voice: all pages of the catalogue, lazily, and what to look out for.
//!
//! `cargo run --example catalogue`

mod support;

use futures_util::TryStreamExt as _;
use liveavatar_api::types::{AvatarStatus, AvatarType};
use liveavatar_api::{Paged as _, Sent as _};
use support::{Connected, connect};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;

    // An entry is asked for when the stream is: stopping early costs no further request.
    let mut avatars = std::pin::pin!(client.list_public_avatars().page_size(100).items());
    while let Some(avatar) = avatars.try_next().await? {
        let ready = avatar.status.as_ref().is_some_and(|status| *status == AvatarStatus::Active);
        let image = avatar.type_.as_ref().is_some_and(|kind| *kind == AvatarType::Image);
        println!("{} {}{}", avatar.id, avatar.name, if ready { "" } else { " (not ready)" });
        if image && avatar.default_voice.is_none() {
            println!("  has no voice of its own: a FULL session needs a `voice_id`");
        }
    }

    let voices = client.list_voices().page_size(100).all().await?;
    println!("{} voices", voices.len());

    // The whole answer, for those who want to know how it came.
    let models = client.list_llm_models().send().await.map_err(liveavatar_api::Error::from)?;
    println!("models: {:?} (after {} request)", models.data(), models.attempts());
    Ok(())
}
