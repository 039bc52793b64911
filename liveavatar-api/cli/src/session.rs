//! Sessions: checked, minted, kept running in the foreground, listed, stopped, read.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use liveavatar_api::session::{ReapOutcome, ReapedSession};
use liveavatar_api::types::{ListSessionsType, SessionTranscriptData};
use liveavatar_api::{Client, Paged as _, Uuid};
use serde_json::{Value, json};

use crate::check;
use crate::connect::Service;
use crate::foreground::{self, Rotation, Upkeep};
use crate::output::{Failure, Output, Secrets, plain};
use crate::watch::Watch;

#[derive(Subcommand)]
pub(crate) enum Session {
    /// Checks configurations without sending anything: JSON, or TOML
    Check {
        /// The files, `-` for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Mints a session token; nothing is started, and nothing is billed
    Token(Token),
    /// Starts a session and keeps it alive in the foreground, until Ctrl-C stops it
    Start(Start),
    /// Lists the sessions of the account
    List {
        /// Which of them
        #[arg(value_enum, long = "type", default_value_t = Which::Active)]
        which: Which,
    },
    /// Stops sessions by their ids, or all that run
    Stop(Stop),
    /// Follows a session until it ends: how long it runs, its credits, and what is said
    Watch(Watch),
    /// Prints what user and avatar have said
    Transcript {
        /// The session's id
        session_id: Uuid,
    },
}

#[derive(Args)]
pub(crate) struct Token {
    /// The configuration, `-` for standard input
    file: PathBuf,
    /// Writes the token into a new file that its owner alone can read, instead of hiding it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Start {
    /// The configuration, `-` for standard input
    file: PathBuf,
    /// Puts a fresh session in its place whenever its time is nearly over
    #[arg(long)]
    rotate: bool,
    /// Keeps it alive so often
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=180))]
    keep_alive_interval: u64,
}

#[derive(Args)]
pub(crate) struct Stop {
    /// The sessions' ids
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    session_id: Vec<Uuid>,
    /// Stops all sessions of the account that run
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Which {
    Active,
    Historic,
}

impl Session {
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        match self {
            Self::Check { files } => check::run(&files, output),
            Self::Token(token) => token.run(service, output).await,
            Self::Start(start) => start.run(service, output).await,
            Self::List { which } => list(&service.client()?, which, output).await,
            Self::Stop(stop) => stop.run(&service.client()?, output).await,
            Self::Watch(watch) => watch.run(service, output).await,
            Self::Transcript { session_id } => transcript(&service.client()?, session_id, output).await,
        }
    }
}

impl Token {
    async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let configuration = check::configuration(&self.file, output)?;
        let minted = service.client()?.mint(&configuration).await?;
        let id = minted.id();
        if let Some(file) = self.token_file {
            keep(&file, minted.token().expose())?;
            output.data(json!({"session_id": id, "token_file": file.display().to_string()}));
            return Ok(());
        }
        output.data(json!({"session_id": id, "session_token": minted.token().expose()}));
        if output.secrets == Secrets::Hidden {
            output.progress("--token-file FILE keeps the token, --reveal shows it");
        }
        Ok(())
    }
}

/// Writes a secret where nobody else can read it, over nothing that is there.
fn keep(file: &Path, secret: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(file).and_then(|mut file| writeln!(file, "{secret}"));
    written.map_err(|error| Failure::Usage(format!("{} cannot be written: {error}", file.display()), None))
}

impl Start {
    async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let configuration = check::configuration(&self.file, output)?;
        let rotation = if self.rotate { Rotation::Wanted } else { Rotation::None };
        let keep_alive_interval = Duration::from_secs(self.keep_alive_interval);
        let upkeep = Upkeep { rotation, keep_alive_interval };
        let Some(mut foreground) = foreground::open(service, &configuration, upkeep, output).await? else {
            return Ok(());
        };
        foreground.beside(std::future::pending::<()>()).await;
        foreground.leave().await.map(drop)
    }
}

async fn list(client: &Client, which: Which, output: Output) -> Result<(), Failure> {
    let which = match which {
        Which::Active => ListSessionsType::Active,
        Which::Historic => ListSessionsType::Historic,
    };
    let sessions = client.list_sessions().type_(which).page_size(100).all().await?;
    output.data(serde_json::to_value(sessions).unwrap_or_default());
    Ok(())
}

impl Stop {
    async fn run(self, client: &Client, output: Output) -> Result<(), Failure> {
        let ids: Vec<Uuid> = if self.all {
            let active = client.list_sessions().type_(ListSessionsType::Active).page_size(100).all().await?;
            active.iter().map(|session| session.id).collect()
        } else {
            self.session_id
        };
        let reaped = client.reap().only(ids.iter().copied()).run().await;
        // As they were given, and not as they were done.
        let mut sessions = reaped.into_sessions();
        sessions.sort_by_key(|session| ids.iter().position(|id| *id == session.id));
        // The error of a single one says more than that not all were stopped.
        let sessions = match <[ReapedSession; 1]>::try_from(sessions) {
            Ok([ReapedSession { outcome: ReapOutcome::Failed(error), .. }]) => return Err(error.into()),
            Ok(one) => Vec::from(one),
            Err(all) => all,
        };
        let failed: Vec<_> =
            sessions.iter().filter(|session| matches!(session.outcome, ReapOutcome::Failed(_))).collect();
        let row = |session: &ReapedSession| match &session.outcome {
            ReapOutcome::Failed(error) => {
                json!({"id": session.id, "fate": "not stopped", "error": error.to_string()})
            }
            fate => json!({"id": session.id, "fate": fate.to_string()}),
        };
        let rows: Value = sessions.iter().map(row).collect();
        if failed.is_empty() {
            output.data(rows);
            return Ok(());
        }
        let lines: Vec<_> = failed.iter().map(ToString::to_string).collect();
        output.progress(&output.text_of(&rows));
        Err(Failure::Failed {
            message: lines.join("; "),
            hint: "they may still run and cost credits; try again".to_owned(),
            data: rows,
        })
    }
}

async fn transcript(client: &Client, id: Uuid, output: Output) -> Result<(), Failure> {
    let lines = client.session(id).transcript().await?;
    let people = lines.iter().map(said).collect::<Vec<_>>().join("\n");
    let people = if people.is_empty() { "nothing was said".to_owned() } else { people };
    output.told(serde_json::to_value(lines).unwrap_or_default(), &people);
    Ok(())
}

/// A line of a transcript, for people.
pub(crate) fn said(line: &SessionTranscriptData) -> String {
    format!("{}: {}", plain(&line.role.to_string()), plain(&line.transcript))
}
