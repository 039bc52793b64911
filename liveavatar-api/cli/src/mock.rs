//! A LiveAvatar service on a port of this machine.

use std::time::Duration;

use clap::Args;
use liveavatar_mock::{Builder, EventStyle, Server};
use serde_json::json;

use crate::connect::{Interrupt, Service};
use crate::output::{Failure, Output};

#[derive(Args)]
pub(crate) struct Mock {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Credits of the account; a minute costs 2 in FULL mode, 1 in LITE mode, none in the sandbox
    #[arg(long, value_name = "CREDITS")]
    credits: Option<u64>,
    /// Sessions that may run at the same time
    #[arg(long, value_name = "SESSIONS")]
    session_limit: Option<usize>,
    /// The longest session, in seconds
    #[arg(long, value_name = "SECONDS")]
    max_session_duration: Option<u64>,
    /// Requests per second of each caller to each operation; more get a 429
    #[arg(long, value_name = "REQUESTS")]
    rate_limit: Option<u32>,
    /// How long every request waits, in milliseconds
    #[arg(long, value_name = "MILLISECONDS")]
    latency: Option<u64>,
    /// Public entries of each collection that has such, avatars for example
    #[arg(long, value_name = "ENTRIES")]
    public_entries: Option<u32>,
    /// How events on the command sockets of LITE sessions tell utterances apart
    #[arg(long, value_name = "STYLE", default_value = "event-id")]
    sockets: Style,
}

/// As servers were seen to do it.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Style {
    /// The command's id comes back as `event_id`
    EventId,
    /// The command's id comes back as `source_event_id`
    SourceEventId,
    /// Start and end share a `task.id`
    Task,
    /// Nothing tells
    Nothing,
}

impl Mock {
    /// Serves until Ctrl-C.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut interrupt = Interrupt::new()?;
        let mut builder = self.builder();
        // A key that is set is the one to use here, and is not said.
        let own = service.has_key();
        if own {
            builder = builder.api_key(service.key()?.expose());
        }
        let server = builder.start().await.map_err(|error| {
            let message = format!("port {} cannot be opened: {error}", self.port);
            Failure::usage(message, "take another one, or 0 for one that is free")
        })?;
        let key = if own { "the one that you set" } else { server.api_key() };
        let people =
            format!("{} is a LiveAvatar service; its API key is {key}. Ctrl-C ends it.", server.url());
        output.told(json!({"url": server.url(), "api_key": key}), &people);
        interrupt.wait().await;
        server.shutdown().await;
        Ok(())
    }

    fn builder(&self) -> Builder {
        fn set<T>(builder: Builder, value: Option<T>, set: impl FnOnce(Builder, T) -> Builder) -> Builder {
            match value {
                Some(value) => set(builder, value),
                None => builder,
            }
        }
        let builder = Server::builder().port(self.port);
        let builder = set(builder, self.credits, Builder::credits);
        let builder = set(builder, self.session_limit, Builder::session_limit);
        let builder = set(builder, self.max_session_duration, Builder::max_session_duration);
        let builder = set(builder, self.rate_limit, Builder::rate_limit);
        let builder = set(builder, self.latency.map(Duration::from_millis), Builder::latency);
        let builder = set(builder, self.public_entries, Builder::public_entries);
        builder.sockets(match self.sockets {
            Style::EventId => EventStyle::EventId,
            Style::SourceEventId => EventStyle::SourceEventId,
            Style::Task => EventStyle::TaskId,
            Style::Nothing => EventStyle::NoId,
        })
    }
}
