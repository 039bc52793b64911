//! `session`: checking, creating, watching and stopping sessions.

use std::io::{IsTerminal as _, stderr, stdin};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use liveavatar_api::session::{ReapOutcome, ReapedSession};
use liveavatar_api::types::ListSessionsType;
use liveavatar_api::{Client, Uuid};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::foreground_session::{self, SupervisionOptions};
use crate::hint::as_commands;
use crate::output::{Output, Secrets};
use crate::secret_file::NewSecretFile;
use crate::service::Service;
use crate::starter::New;
use crate::table::Notes;
use crate::watch::Watch;
use crate::{check, transcript};

#[derive(Subcommand)]
pub(crate) enum Session {
    /// Write a configuration file to start with
    New(New),
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
    /// Do not ask on a terminal before all sessions are stopped
    #[arg(long, requires = "all")]
    yes: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ListType {
    Active,
    Historic,
}

impl Session {
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(output),
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
        let client = service.client()?;
        // A token that cannot be stored is lost.
        let file = self.token_file.as_deref().map(NewSecretFile::create).transpose()?;
        let token = client.mint(&configuration).await?;
        let (id, secret) = (token.id(), token.token().expose());
        if let (Some(file), Some(path)) = (file, self.token_file) {
            file.write(&format!("{secret}\n"))?;
            output.print(json!({"session_id": id, "token_file": path.display().to_string()}));
            return Ok(());
        }
        output.print(json!({"session_id": id, "session_token": secret}));
        if output.secrets == Secrets::Hidden {
            output.progress("use --token-file FILE to save the token, or --reveal to show it");
        }
        Ok(())
    }
}

impl Start {
    async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let configuration = check::configuration(&self.file, output)?;
        let options = SupervisionOptions {
            rotates: self.rotate,
            keep_alive_interval: Duration::from_secs(self.keep_alive_interval),
            has_page: self.open,
        };
        let opened = foreground_session::open(service, &configuration, options, output).await?;
        let Some(mut foreground) = opened else { return Ok(()) };
        if self.open {
            return foreground.run_with_page(&configuration).await;
        }
        let status = foreground.show_status();
        foreground.run(status).await;
        foreground.stop().await.map(drop)
    }
}

async fn list(client: &Client, list_type: ListType, output: Output) -> Result<(), Failure> {
    let (list_type, empty) = match list_type {
        ListType::Active => (ListSessionsType::Active, "no sessions are active"),
        ListType::Historic => (ListSessionsType::Historic, "no sessions have ended"),
    };
    let sessions = client.list_sessions().type_(list_type).page_size(100).all().await?;
    output
        .print_list(serde_json::to_value(sessions).unwrap_or_default(), Notes { empty, ..Notes::default() });
    Ok(())
}

impl Stop {
    async fn run(self, client: &Client, output: Output) -> Result<(), Failure> {
        let ids: Vec<Uuid> = if self.all {
            let active = client.list_sessions().type_("active").page_size(100).all().await?;
            if !self.yes && !active.is_empty() {
                let rows = serde_json::to_value(&active).unwrap_or_default();
                confirm_stop(active.len(), &rows, output).await?;
            }
            active.iter().map(|session| session.id).collect()
        } else {
            self.session_id
        };
        output.status("stopping sessions");
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
                json!({"id": session.id, "outcome": "not stopped", "error": as_commands(&error.to_string())})
            }
            outcome => json!({"id": session.id, "outcome": outcome.to_string()}),
        };
        let rows: Value = sessions.iter().map(row).collect();
        let failed = sessions.iter().filter(|session| matches!(session.outcome, ReapOutcome::Failed(_)));
        let failed: Vec<_> = failed.map(ToString::to_string).collect();
        if failed.is_empty() {
            output.print_list(rows, Notes { empty: "no sessions are active", ..Notes::default() });
            return Ok(());
        }
        output.progress(&output.text_of(&rows));
        let hint = "try again: these sessions may still run and cost credits";
        Err(Failure::incomplete(failed.join("; "), hint, rows))
    }
}

/// Asks on a terminal whether to stop the sessions, and returns an error if the answer is no.
async fn confirm_stop(count: usize, sessions: &Value, output: Output) -> Result<(), Failure> {
    if !(stdin().is_terminal() && stderr().is_terminal()) {
        return Ok(());
    }
    output.progress(&output.text_of(sessions));
    let s = if count == 1 { "" } else { "s" };
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        // If nothing can be asked, the answer is no.
        let _ = console::Term::stderr().write_str(&format!("Stop {count} session{s}? [y/N] "));
        let _ = stdin().read_line(&mut answer);
        answer
    });
    let answer = answer.await.unwrap_or_default().trim().to_lowercase();
    if ["y", "yes"].contains(&answer.as_str()) {
        return Ok(());
    }
    Err(Failure::usage(
        "no session was stopped",
        "answer `y`, or use --yes to stop all sessions without being asked",
    ))
}
