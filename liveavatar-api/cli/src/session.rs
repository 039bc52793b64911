//! `session`: checking, creating, watching and stopping sessions.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use liveavatar_api::session::{ReapOutcome, ReapedSession};
use liveavatar_api::types::ListSessionsType;
use liveavatar_api::{Client, Uuid};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::foreground_session::{self, SupervisionOptions};
use crate::output::{Output, Secrets};
use crate::service::Service;
use crate::watch::Watch;
use crate::{check, transcript};

#[derive(Subcommand)]
pub(crate) enum Session {
    /// Check session configuration files (JSON or TOML) without sending anything
    Check {
        /// Configuration files, or `-` for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Create a session token without starting or billing a session
    Token(Token),
    /// Start a session and keep it alive until Ctrl-C stops it
    Start(Start),
    /// List the sessions of the account
    List {
        /// Sessions to list
        #[arg(value_enum, long = "type", value_name = "TYPE", default_value_t = ListType::Active)]
        list_type: ListType,
    },
    /// Stop sessions
    Stop(Stop),
    /// Follow a session until it ends: duration, credits and transcript
    Watch(Watch),
    /// Print the transcript of a session
    Transcript {
        /// ID of the session
        session_id: Uuid,
    },
}

#[derive(Args)]
pub(crate) struct Token {
    /// Session configuration file, or `-` for standard input
    file: PathBuf,
    /// Write the token to a new file that only its owner can read
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Start {
    /// Session configuration file, or `-` for standard input
    file: PathBuf,
    /// Show the avatar in the browser, with a transcript and controls
    #[arg(long)]
    open: bool,
    /// Replace the session with a new one before it expires
    #[arg(long)]
    rotate: bool,
    /// Keep-alive interval
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=180))]
    keep_alive_interval: u64,
}

#[derive(Args)]
pub(crate) struct Stop {
    /// IDs of the sessions
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    session_id: Vec<Uuid>,
    /// Stop all active sessions of the account
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ListType {
    Active,
    Historic,
}

impl Session {
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        match self {
            Self::Check { files } => check::run(&files, output),
            Self::Token(token) => token.run(service, output).await,
            Self::Start(start) => start.run(service, output).await,
            Self::List { list_type } => list(&service.client()?, list_type, output).await,
            Self::Stop(stop) => stop.run(&service.client()?, output).await,
            Self::Watch(watch) => watch.run(service, output).await,
            Self::Transcript { session_id } => transcript::run(&service.client()?, session_id, output).await,
        }
    }
}

impl Token {
    async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let configuration = check::configuration(&self.file, output)?;
        let token = service.client()?.mint(&configuration).await?;
        let (id, secret) = (token.id(), token.token().expose());
        if let Some(file) = self.token_file {
            write_secret(&file, secret)?;
            output.print(json!({"session_id": id, "token_file": file.display().to_string()}));
            return Ok(());
        }
        output.print(json!({"session_id": id, "session_token": secret}));
        if output.secrets == Secrets::Hidden {
            output.progress("use --token-file FILE to save the token, or --reveal to show it");
        }
        Ok(())
    }
}

/// Writes a secret to a new file that only its owner can read.
fn write_secret(file: &Path, secret: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(file).and_then(|mut file| writeln!(file, "{secret}"));
    written.map_err(|error| Failure::Usage(format!("failed to write {}: {error}", file.display()), None))
}

impl Start {
    async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let configuration = check::configuration(&self.file, output)?;
        let options = SupervisionOptions {
            rotates: self.rotate,
            keep_alive_interval: Duration::from_secs(self.keep_alive_interval),
        };
        let opened = foreground_session::open(service, &configuration, options, output).await?;
        let Some(mut foreground) = opened else { return Ok(()) };
        if !self.open {
            foreground.run(std::future::pending::<()>()).await;
            return foreground.stop().await.map(drop);
        }
        foreground.run_with_page(&configuration).await
    }
}

async fn list(client: &Client, list_type: ListType, output: Output) -> Result<(), Failure> {
    let list_type = match list_type {
        ListType::Active => ListSessionsType::Active,
        ListType::Historic => ListSessionsType::Historic,
    };
    let sessions = client.list_sessions().type_(list_type).page_size(100).all().await?;
    output.print(serde_json::to_value(sessions).unwrap_or_default());
    Ok(())
}

impl Stop {
    async fn run(self, client: &Client, output: Output) -> Result<(), Failure> {
        let ids: Vec<Uuid> = if self.all {
            let active = client.list_sessions().type_("active").page_size(100).all().await?;
            active.iter().map(|session| session.id).collect()
        } else {
            self.session_id
        };
        let mut sessions = client.reap().only(ids.iter().copied()).run().await.into_sessions();
        // The reaper returns them in the order in which they were stopped.
        sessions.sort_by_key(|session| ids.iter().position(|id| *id == session.id));
        // For a single session, its own error says more than a summary.
        let sessions = match <[ReapedSession; 1]>::try_from(sessions) {
            Ok([ReapedSession { outcome: ReapOutcome::Failed(error), .. }]) => return Err(error.into()),
            Ok(one) => Vec::from(one),
            Err(all) => all,
        };
        let row = |session: &ReapedSession| match &session.outcome {
            ReapOutcome::Failed(error) => {
                json!({"id": session.id, "outcome": "not stopped", "error": error.to_string()})
            }
            outcome => json!({"id": session.id, "outcome": outcome.to_string()}),
        };
        let rows: Value = sessions.iter().map(row).collect();
        let failed = sessions.iter().filter(|session| matches!(session.outcome, ReapOutcome::Failed(_)));
        let failed: Vec<_> = failed.map(ToString::to_string).collect();
        if failed.is_empty() {
            output.print(rows);
            return Ok(());
        }
        output.progress(&output.text_of(&rows));
        let hint = "try again: these sessions may still run and cost credits";
        Err(Failure::incomplete(failed.join("; "), hint, rows))
    }
}
