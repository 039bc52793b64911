//! Prints the credits of the account and its active sessions, and stops them with `--stop`.
//!
//! Run it with `cargo run --example leftovers [-- --stop]`.

mod support;

use liveavatar_api::types::SessionEndReason;
use support::{Connected, connect};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Connected { client, mock: _mock } = connect().await?;
    if let Some(credits) = client.get_user_credits().await?.credits_left {
        println!("{credits} credits left");
    }

    let active = client.list_sessions().type_("active").page_size(100).all().await?;
    println!("active sessions: {}", active.len());
    let stop = std::env::args().any(|argument| argument == "--stop");
    for session in active {
        println!("{} since {}: {} credits so far", session.id, session.created_at, session.credits_consumed);
        if stop {
            match client.stop_session().session_id(session.id).reason(SessionEndReason::UserClosed).await {
                Ok(_) => println!("  stopped"),
                // It ended since the list was fetched.
                Err(error) if error.is_not_found() => println!("  already ended"),
                Err(error) => println!("  not stopped: {error}"),
            }
        }
    }
    Ok(())
}
