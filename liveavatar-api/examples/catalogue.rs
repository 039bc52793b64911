//! Lists avatars, voices and language models, and shows how pages are fetched.
//!
//! Run it with `cargo run --example catalogue`.

mod support;

use futures_util::TryStreamExt as _;
use liveavatar_api::types::{AvatarStatus, AvatarType};
use support::{Connected, connect};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;

    // The stream fetches a page only when it is needed.
    let mut avatars = client.list_public_avatars().page_size(100).items();
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

    // `send_raw` returns the whole response; `send` would return only the data in it.
    let models = client.list_llm_models().send_raw().await?;
    println!("models: {:?} (attempts: {})", models.body, models.attempts());
    Ok(())
}
