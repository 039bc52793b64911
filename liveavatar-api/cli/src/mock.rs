//! `mock`: serving a mock LiveAvatar service on a local port.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use liveavatar_api::{API_KEY_ENV, BASE_URL_ENV};
use liveavatar_mock::{Builder, EventStyle, Server};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::browser;
use crate::failure::Failure;
use crate::output::Output;
use crate::service::Service;
use crate::signals::Interrupt;

/// Every switch is an option and, under the same name, a setting of the file.
#[derive(Args, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Mock {
    /// TOML file with these options, such as `credits = 5`; options on the command line take precedence
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    settings: Option<PathBuf>,
    /// Open a page that shows requests, sessions, frames and audio, and controls the mock; keeps audio like --record-audio
    #[arg(long)]
    #[serde(skip)]
    open: bool,
    /// Port on 127.0.0.1; 0, the default, selects a free one
    #[arg(long)]
    port: Option<u16>,
    /// Credits of the account; a minute costs 2 in FULL mode, 1 in LITE mode and 0 in the sandbox
    #[arg(long, value_name = "CREDITS")]
    credits: Option<u64>,
    /// Maximum number of concurrent sessions
    #[arg(long, value_name = "SESSIONS")]
    session_limit: Option<usize>,
    /// Maximum session duration
    #[arg(long, value_name = "SECONDS")]
    max_session_duration: Option<u64>,
    /// Ends sessions that were not kept alive once within this time; the service does so after about 200 s
    #[arg(long, value_name = "SECONDS")]
    zombie_timeout: Option<u64>,
    /// Requests per second allowed for each caller and operation; further ones get a 429 response
    #[arg(long, value_name = "REQUESTS")]
    rate_limit: Option<u32>,
    /// Delay of every response
    #[arg(long, value_name = "MILLISECONDS")]
    latency: Option<u64>,
    /// Number of public entries in each collection that has them, such as avatars
    #[arg(long, value_name = "ENTRIES")]
    public_entries: Option<u32>,
    /// Rejects avatars that are not in the lists
    #[arg(long, num_args = 0, default_missing_value = "true")]
    known_avatars_only: Option<bool>,
    /// How the events of LITE web sockets identify an utterance [default: event-id]
    #[arg(long, value_name = "STYLE")]
    sockets: Option<Style>,
    /// Time until a LITE web socket is ready; it drops earlier frames
    #[arg(long, value_name = "MILLISECONDS")]
    socket_delay: Option<u64>,
    /// Keeps the audio that LITE web sockets receive, for GET /_mock/sessions/ID/audio
    #[arg(long, num_args = 0, default_missing_value = "true")]
    record_audio: Option<bool>,
    /// Begins each page of a transcript with the last line of the page before it
    #[arg(long, num_args = 0, default_missing_value = "true")]
    overlapping_transcripts: Option<bool>,
    /// Serves a LiveKit room for each session, in which an avatar is seen and heard
    #[arg(long, num_args = 0, default_missing_value = "true")]
    room: Option<bool>,
}

/// The ways observed in real servers.
#[derive(Clone, Copy, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
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
        let opens = self.open;
        let mut this = self.with_settings()?;
        if opens {
            this.record_audio.get_or_insert(true);
        }
        let mut builder = this.builder();
        // The mock accepts the key that is set. Only a generated key is printed.
        let has_key = service.has_api_key();
        if has_key {
            builder = builder.api_key(service.api_key()?.expose());
        }
        let server = builder.start().await.map_err(|error| {
            let message = format!("failed to listen on port {}: {error}", this.port.unwrap_or_default());
            Failure::usage(message, "use another port, or 0 for a free one")
        })?;
        let (url, key) = (server.url(), server.api_key());
        let (key, variables) = if has_key {
            ("the one that you set", format!("{BASE_URL_ENV}={url}"))
        } else {
            (key, format!("{BASE_URL_ENV}={url} {API_KEY_ENV}={key}"))
        };
        let window = format!("{url}/_mock/");
        let text = format!(
            "mock service at {url}; press Ctrl-C to stop it\nexport {variables}\nsee what it does at {window}"
        );
        output.print_as(json!({"url": url, "api_key": key, "window": window}), &text);
        if opens {
            browser::open(&window, output);
        }
        interrupt.wait().await;
        server.shutdown().await;
        Ok(())
    }

    /// Adds the settings of the file to the options.
    fn with_settings(self) -> Result<Self, Failure> {
        let Some(path) = &self.settings else { return Ok(self) };
        let failed = |error: &dyn std::fmt::Display| {
            let message = format!("failed to read {}: {}", path.display(), error.to_string().trim_end());
            Failure::usage(message, "the file has the options of this command, such as `socket-delay = 200`")
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        // Reads the file on its own first, for errors with a line.
        toml::from_str::<Self>(&text).map_err(|error| failed(&error))?;
        let mut merged: Map<String, Value> = toml::from_str(&text).map_err(|error| failed(&error))?;
        let options = serde_json::to_value(&self).map_err(|error| failed(&error))?;
        let options = options.as_object().into_iter().flatten();
        merged.extend(
            options.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())),
        );
        serde_json::from_value(Value::Object(merged)).map_err(|error| failed(&error))
    }

    fn builder(&self) -> Builder {
        let mut builder = Server::builder();
        let milliseconds = |time: Option<u64>| time.map(Duration::from_millis);
        builder = self.port.into_iter().fold(builder, Builder::port);
        builder = self.credits.into_iter().fold(builder, Builder::credits);
        builder = self.session_limit.into_iter().fold(builder, Builder::session_limit);
        builder = self.max_session_duration.into_iter().fold(builder, Builder::max_session_duration);
        let zombie_timeout = self.zombie_timeout.map(Duration::from_secs);
        builder = zombie_timeout.into_iter().fold(builder, Builder::zombie_timeout);
        builder = self.rate_limit.into_iter().fold(builder, Builder::rate_limit);
        builder = milliseconds(self.latency).into_iter().fold(builder, Builder::latency);
        builder = self.public_entries.into_iter().fold(builder, Builder::public_entries);
        builder = milliseconds(self.socket_delay).into_iter().fold(builder, Builder::socket_delay);
        if self.known_avatars_only == Some(true) {
            builder = builder.known_avatars_only();
        }
        if self.record_audio == Some(true) {
            builder = builder.record_audio();
        }
        if self.overlapping_transcripts == Some(true) {
            builder = builder.overlapping_transcripts();
        }
        if self.room == Some(true) {
            builder = builder.room();
        }
        builder.sockets(match self.sockets.unwrap_or(Style::EventId) {
            Style::EventId => EventStyle::EventId,
            Style::SourceEventId => EventStyle::SourceEventId,
            Style::Task => EventStyle::TaskId,
            Style::Nothing => EventStyle::NoId,
        })
    }
}
