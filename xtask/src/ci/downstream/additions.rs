use liveavatar_api::session::{FullSession, SANDBOX_AVATAR_ID};
use liveavatar_api::types::{AvatarPersona, AzureVoiceSettings, VideoQuality, VideoSettings};
use liveavatar_api::{Client, Credential};
use liveavatar_mock::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start().await?;
    let credential = Credential::api_key(server.api_key())?;
    let client = Client::builder().base_url(server.url()).credential(credential).build()?;

    // The new operation with its parameter, and the new parameter of an old operation.
    let plans = client.list_plans().currency("EUR").await?;
    println!("{} plans, the first is {}", plans.len(), plans[0].title);
    client.list_voices().gender("female").all().await?;

    // The new enum value as text and typed, the builder of the new union member, and the new field.
    let as_text = VideoSettings::builder().quality("ultra").build()?;
    let typed = VideoSettings::builder().quality(VideoQuality::Ultra).build()?;
    assert_eq!(as_text, typed);
    let voice = AzureVoiceSettings::builder().speed(1.5);
    let configuration = FullSession::builder()
        .avatar_id(SANDBOX_AVATAR_ID)
        .avatar_persona(AvatarPersona::builder().voice_settings(voice))
        .video_settings(typed)
        .greeting("Hello")
        .build()?;
    let session = client.open(&configuration).await?;
    println!("session {} is running", session.id());
    session.stop().await?;

    // The new limit of the new field.
    let failed = FullSession::builder().avatar_id(SANDBOX_AVATAR_ID).greeting("Hello, hello").build();
    assert!(failed.is_err_and(|error| error.to_string().contains("greeting")));
    Ok(())
}
