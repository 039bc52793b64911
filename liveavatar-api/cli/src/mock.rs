//! `mock`: serving a mock LiveAvatar service on a local port.

use std::time::Duration;

use clap::Args;
use liveavatar_mock::{Builder, EventStyle, Server};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::service::Service;
use crate::signals::Interrupt;

#[derive(Args)]
pub(crate) struct Mock {
    /// Port on 127.0.0.1; 0 selects a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Credits of the account; a minute costs 2 in FULL mode, 1 in LITE mode and 0 in the sandbox
    #[arg(long, value_name = "CREDITS")]
    credits: Option<u64>,
    /// Maximum number of concurrent sessions
    #[arg(long, value_name = "SESSIONS")]
    session_limit: Option<usize>,
    /// Maximum session duration
    #[arg(long, value_name = "SECONDS")]
    max_session_duration: Option<u64>,
    /// Requests per second allowed for each caller and operation; further ones get a 429 response
    #[arg(long, value_name = "REQUESTS")]
    rate_limit: Option<u32>,
    /// Delay of every response
    #[arg(long, value_name = "MILLISECONDS")]
    latency: Option<u64>,
    /// Number of public entries in each collection that has them, such as avatars
    #[arg(long, value_name = "ENTRIES")]
    public_entries: Option<u32>,
    /// How the events of LITE web sockets identify an utterance
    #[arg(long, value_name = "STYLE", default_value = "event-id")]
    sockets: Style,
}

/// The ways observed in real servers.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Style {
    /// By the command's ID in `event_id`
    EventId,
    /// By the command's ID in `source_event_id`
    SourceEventId,
    /// By a `task.id` that start and end share
    Task,
    /// Not at all
    Nothing,
}

impl Mock {
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut interrupt = Interrupt::new()?;
        let mut builder = self.builder();
        // The mock accepts the key that is set. Only a generated key is printed.
        let has_key = service.has_api_key();
        if has_key {
            builder = builder.api_key(service.api_key()?.expose());
        }
        let server = builder.start().await.map_err(|error| {
            let message = format!("failed to listen on port {}: {error}", self.port);
            Failure::usage(message, "use another port, or 0 for a free one")
        })?;
        let key = if has_key { "the one that you set" } else { server.api_key() };
        let url = server.url();
        let text = format!("mock service at {url} (API key: {key}); press Ctrl-C to stop it");
        output.print_as(json!({"url": url, "api_key": key}), &text);
        interrupt.wait().await;
        server.shutdown().await;
        Ok(())
    }

    fn builder(&self) -> Builder {
        let builder = Server::builder().port(self.port);
        let builder = self.credits.into_iter().fold(builder, Builder::credits);
        let builder = self.session_limit.into_iter().fold(builder, Builder::session_limit);
        let builder = self.max_session_duration.into_iter().fold(builder, Builder::max_session_duration);
        let builder = self.rate_limit.into_iter().fold(builder, Builder::rate_limit);
        let builder = self.latency.map(Duration::from_millis).into_iter().fold(builder, Builder::latency);
        let builder = self.public_entries.into_iter().fold(builder, Builder::public_entries);
        builder.sockets(match self.sockets {
            Style::EventId => EventStyle::EventId,
            Style::SourceEventId => EventStyle::SourceEventId,
            Style::Task => EventStyle::TaskId,
            Style::Nothing => EventStyle::NoId,
        })
    }
}
