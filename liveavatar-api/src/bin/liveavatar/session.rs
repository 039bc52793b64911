//! Sessions: checked, minted, kept running in the foreground, listed, stopped, read.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use liveavatar_api::session::{EndReason, Event};
use liveavatar_api::types::{ListSessionsType, SessionEndReason, StopSession};
use liveavatar_api::{Call as _, Client, Paged as _, Uuid};
use serde_json::{Value, json};

use crate::check;
use crate::connect::{Service, interrupted};
use crate::output::{Failure, Output};

/// Pages of a transcript that are read at most; a service that always names another one is stopped here.
const MOST_PAGES: u32 = 10_000;

#[derive(Subcommand)]
pub(crate) enum Session {
    /// Check configurations without sending anything: JSON, or TOML
    Check {
        /// The files, `-` for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Mint a session token; nothing is started, and nothing is billed
    Token(Token),
    /// Start a session and keep it alive in the foreground, until Ctrl-C stops it
    Start(Start),
    /// List the sessions of the account
    List {
        /// Which ones
        #[arg(value_enum, long = "type", default_value_t = Which::Active)]
        which: Which,
    },
    /// Stop sessions by their ids, or all that run
    Stop(Stop),
    /// Print what user and avatar have said
    Transcript {
        /// The session's id
        session_id: Uuid,
    },
}

#[derive(Args)]
pub(crate) struct Token {
    /// The configuration, `-` for standard input
    file: PathBuf,
    /// Write the token into a new file that its owner alone can read, instead of hiding it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Start {
    /// The configuration, `-` for standard input
    file: PathBuf,
    /// Put a fresh session in its place whenever its time is nearly over
    #[arg(long)]
    rotate: bool,
}

#[derive(Args)]
pub(crate) struct Stop {
    /// The sessions' ids
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    session_id: Vec<Uuid>,
    /// All sessions of the account that run
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
            Self::Transcript { session_id } => transcript(&service.client()?, session_id, output).await,
        }
    }
}

impl Token {
    async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let configuration = check::configuration(&self.file, output)?;
        let minted = service.client()?.mint(&configuration).await?;
        let id = minted.id();
        match self.token_file {
            Some(file) => {
                keep(&file, minted.token().expose())?;
                output.data(json!({"session_id": id, "token_file": file.display().to_string()}));
            }
            None => output.data(json!({"session_id": id, "session_token": minted.token().expose()})),
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
        let client = service.client()?;
        let mut opening = client.open(&configuration);
        if self.rotate {
            opening = opening.rotating();
        }
        output.progress("starting; Ctrl-C stops the session");
        let interrupt = interrupted();
        tokio::pin!(interrupt);
        let session = tokio::select! {
            session = opening => session?,
            () = &mut interrupt => {
                output.progress("stopping what was begun");
                left(&client.shutdown().await)?;
                output.told(json!({"event": "ended", "session_id": null, "reason": "stopped"}), "nothing runs");
                return Ok(());
            }
        };
        let started = || {
            let answer = serde_json::to_value(&*session.started()).unwrap_or_default();
            output.data(json!({"event": "started", "session": answer}));
        };
        let mut events = session.events();
        started();
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::EndsSoon(left)) => output.told(
                        json!({"event": "ends_soon", "seconds": left.as_secs()}),
                        &format!("ends in {} s", left.as_secs()),
                    ),
                    Some(Event::Rotated { from, to }) => {
                        output.told(json!({"event": "rotated", "from": from, "to": to}), &format!("{from} is replaced by {to}: join again"));
                        started();
                    }
                    Some(Event::RotationFailed(error)) => warned(output, "rotation_failed", &error.to_string()),
                    Some(Event::KeepAliveFailed(error)) => warned(output, "keep_alive_failed", &error.to_string()),
                    Some(_) => {}
                    None => break,
                },
                () = &mut interrupt => {
                    output.progress("stopping");
                    session.stop().await?;
                    break;
                }
            }
        }
        let reason = match session.ended().await? {
            EndReason::Stopped | EndReason::Dropped => "stopped".to_owned(),
            EndReason::MaxDuration => "max_duration".to_owned(),
            EndReason::Service(Some(reason)) => format!("service: {reason}"),
            _ => "service".to_owned(),
        };
        let id = session.id();
        output.told(
            json!({"event": "ended", "session_id": id, "reason": reason}),
            &format!("{id} has ended: {reason}"),
        );
        left(&client.shutdown().await)
    }
}

fn warned(output: Output, event: &str, error: &str) {
    output.told(json!({"event": event, "message": error}), &format!("{}: {error}", event.replace('_', " ")));
}

/// What may still run and cost, after everything was done to stop it.
fn left(unstopped: &[liveavatar_api::session::Unstopped]) -> Result<(), Failure> {
    if unstopped.is_empty() {
        return Ok(());
    }
    let all: Vec<_> = unstopped.iter().map(ToString::to_string).collect();
    Err(Failure::Failed {
        message: all.join("; "),
        hint: "`liveavatar session stop --all` tries again",
        data: Value::Null,
    })
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
        let (mut rows, mut failed, only) = (Vec::new(), Vec::new(), ids.len() == 1);
        for id in ids {
            let body = StopSession::builder().session_id(id).reason(SessionEndReason::UserClosed);
            let fate = match client.stop_session().body(body).data().await {
                Ok(_) => "stopped".to_owned(),
                // It has ended by itself, which is as good.
                Err(error) if error.is_not_found() => "does not run".to_owned(),
                Err(error) if only => return Err(error.into()),
                Err(error) => {
                    failed.push(id.to_string());
                    error.to_string()
                }
            };
            rows.push(json!({"id": id, "fate": fate}));
        }
        let rows = Value::Array(rows);
        if failed.is_empty() {
            output.data(rows);
            return Ok(());
        }
        let message = format!("not stopped: {}", failed.join(", "));
        Err(Failure::Failed { message, hint: "they may still run and cost credits; try again", data: rows })
    }
}

async fn transcript(client: &Client, id: Uuid, output: Output) -> Result<(), Failure> {
    let (mut lines, mut from) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let mut call = client.get_session_transcript().session_id(id.to_string());
        if let Some(from) = from {
            call = call.start_timestamp(from);
        }
        let page = call.data().await?;
        lines.extend(page.transcript_data);
        // A page that points backwards or at itself would never end.
        match page.next_timestamp.filter(|next| from.is_none_or(|from| *next > from)) {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    let people =
        lines.iter().map(|line| format!("{}: {}", line.role, crate::output::plain(&line.transcript)));
    let people = people.collect::<Vec<_>>().join("\n");
    let people = if people.is_empty() { "nothing was said".to_owned() } else { people };
    output.told(serde_json::to_value(lines).unwrap_or_default(), &people);
    Ok(())
}
