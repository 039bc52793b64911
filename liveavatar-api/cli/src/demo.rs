//! `demo`: a session on a mock of the service, with its page in the browser. It needs no account.

use clap::Args;
use liveavatar_api::session::{AnyConfiguration, SANDBOX_AVATAR_ID};
use liveavatar_mock::{EventStyle, Server};
use serde_json::json;

use crate::failure::Failure;
use crate::foreground_session::{self, SupervisionOptions};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Demo {}

impl Demo {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let builder = Server::builder().sockets(EventStyle::default()).record_audio().room();
        let server = builder
            .start()
            .await
            .map_err(|error| Failure::Usage(format!("failed to start the mock service: {error}"), None))?;
        output.progress(&format!(
            "a mock service plays the avatar; see what it does at {}/_mock/",
            server.url()
        ));
        let configuration = configuration()?;
        let options = SupervisionOptions { has_page: true, ..SupervisionOptions::default() };
        let opened = foreground_session::open_with(server.client()?, &configuration, options, output).await?;
        if let Some(foreground) = opened {
            foreground.run_with_page(&configuration).await?;
        }
        server.shutdown().await;
        Ok(())
    }
}

/// Outside the sandbox, whose sessions last a minute. The mock takes no real credits.
fn configuration() -> Result<AnyConfiguration, Failure> {
    let configuration = json!({
        "mode": "FULL",
        "avatar_id": SANDBOX_AVATAR_ID,
        "avatar_persona": { "language": "en" },
    });
    let parsed = AnyConfiguration::from_json(&configuration.to_string());
    parsed.map_err(|diagnostics| Failure::Usage(diagnostics.to_string(), None))
}
