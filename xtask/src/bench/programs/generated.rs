//! Two calls with the client of openapi-generator, which does not support sockets.

use generated::apis::configuration::{ApiKey, Configuration};
use generated::apis::sessions_api::stop_session_v1_sessions_stop_post;
use generated::apis::users_api::get_user_credits_v1_users_credits_get;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut configuration = Configuration::new();
    configuration.api_key = Some(ApiKey { prefix: None, key: std::env::var("LIVEAVATAR_API_KEY")? });
    let credits = get_user_credits_v1_users_credits_get(&configuration, None).await?;
    println!("{:?}", credits.data);
    stop_session_v1_sessions_stop_post(&configuration, None).await?;
    Ok(())
}
