//! `doctor`: checking everything that a session needs, in order.

use std::time::Instant;

use clap::Args;
use clap::builder::styling::{AnsiColor, Style};
use liveavatar_api::{Client, Error, RequestOptions};
use serde_json::{Value, json};

use crate::failure::{Failure, causes};
use crate::foreground_session::{self, Outcome, SupervisionOptions, sandbox_configuration};
use crate::output::{Format, Output, Secrets};
use crate::service::Service;
use crate::terminal::{print_line, printable, width};
use crate::wrap::wrap;

const ADDRESS_NEXT: &str = "correct LIVEAVATAR_BASE_URL or --base-url, or omit both to use the default";
const HOST_NEXT: &str =
    "check the network, HTTPS_PROXY and LIVEAVATAR_BASE_URL, then run `liveavatar doctor` again";
const TLS_NEXT: &str =
    "add the certificate of a TLS-inspecting proxy to the system's store, and check the system clock";
const KEY_NEXT: &str = "run `liveavatar login` with a key from the settings of the service";
const CREDITS_NEXT: &str = "add credits to the account, then run `liveavatar credits`";
const SOCKET_NEXT: &str =
    "allow direct connections to web sockets, without a proxy, then run `liveavatar doctor` again";

/// Characters before the reason of a verdict.
const INDENT: usize = 19;

const OK: Style = AnsiColor::Green.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const FAILED: Style = AnsiColor::Red.on_default().bold();

#[derive(Args)]
pub(crate) struct Doctor {
    /// Skip the sandbox session, which is free but briefly occupies a session slot
    #[arg(long)]
    no_session: bool,
}

/// The results so far.
struct Checks {
    done: Vec<Value>,
    warnings: usize,
    output: Output,
}

/// The result of a check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    /// Sessions may fail.
    Warning,
    Failed,
}

impl Verdict {
    fn word_and_style(self) -> (&'static str, Style) {
        match self {
            Self::Ok => ("ok", OK),
            Self::Warning => ("warning", WARNING),
            Self::Failed => ("failed", FAILED),
        }
    }
}

impl Checks {
    fn begin(&self, what: &str) {
        self.output.status(&format!("checking {what}"));
    }

    fn pass(&mut self, check: &'static str, note: &str) {
        self.record(Verdict::Ok, check, note, None);
    }

    fn warn(&mut self, check: &'static str, note: &str, next: &str) {
        self.record(Verdict::Warning, check, note, Some(next));
    }

    /// Records a failed check, which is the last one because the others depend on it.
    fn fail(&mut self, check: &'static str, failure: impl Into<Failure>, next: Option<&str>) -> Failure {
        let failure = failure.into();
        let note = failure.message().unwrap_or_default().replace("\n  ", "; ");
        self.fail_for(check, &note, failure, next)
    }

    /// Records a failed check with another reason than the message of the failure.
    fn fail_for(&mut self, check: &'static str, note: &str, failure: Failure, next: Option<&str>) -> Failure {
        let next = next.map(str::to_owned).or_else(|| failure.hint());
        let next = next.unwrap_or_else(|| "run `liveavatar doctor` again".to_owned());
        self.record(Verdict::Failed, check, note, Some(&next));
        Failure::Check { failure: Box::new(failure), check, next, checks: std::mem::take(&mut self.done) }
    }

    fn record(&mut self, verdict: Verdict, check: &'static str, note: &str, next: Option<&str>) {
        let (word, style) = verdict.word_and_style();
        if self.output.format == Format::Text {
            let width = width().map_or(usize::MAX, usize::from).saturating_sub(INDENT);
            let indent = " ".repeat(INDENT);
            let lines = |text: &str| wrap("", text, "", width).replace('\n', &format!("\n{indent}"));
            print_line(&format!("{style}{word:<8}{style:#} {check:<8}  {}", lines(&printable(note))));
            if let Some(next) = next {
                print_line(&format!("{indent}{}", lines(&format!("next: {next}"))));
            }
        }
        self.warnings += usize::from(verdict == Verdict::Warning);
        self.done.push(json!({"check": check, "result": word, "note": note, "next": next}));
    }
}

impl Doctor {
    /// Runs the checks up to the first that fails.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut checks = Checks { done: Vec::new(), warnings: 0, output };
        check_service(service, &mut checks).await?;
        check_account(service, &mut checks).await?;
        if !self.no_session {
            check_session(service, &mut checks).await?;
        }
        let text = match checks.warnings {
            0 => "all checks passed\nnext: liveavatar session new".to_owned(),
            1 => "no check failed, 1 warning".to_owned(),
            count => format!("no check failed, {count} warnings"),
        };
        output.print_as(Value::Array(checks.done), &text);
        Ok(())
    }
}

async fn check_service(service: &Service, checks: &mut Checks) -> Result<(), Failure> {
    let address = service.base_url().map_err(|failure| checks.fail("address", failure, None))?;
    // Retries would only delay the result.
    let options = RequestOptions::new().max_attempts(1);
    let client = Client::builder().base_url(address.as_str()).options(options).build();
    let client = client.map_err(|error| {
        // An invalid address may have a password.
        let is_shown = !address.contains(['@', '?', '#']);
        let note = if is_shown { format!("{address}: {error}") } else { error.to_string() };
        checks.fail_for("address", &note, error.into(), Some(ADDRESS_NEXT))
    })?;
    checks.pass("address", &address);

    checks.begin("the connection");
    let begin = Instant::now();
    if let Err(error) = client.list_public_avatars().page_size(1).send().await {
        if error.status().is_none() {
            if is_tls_error(&address, &error) {
                checks.pass("host", "reachable");
                return Err(checks.fail("tls", error, Some(TLS_NEXT)));
            }
            return Err(checks.fail("host", error, Some(HOST_NEXT)));
        }
        // What another server, or another path of this one, responds with.
        if error.is_not_found() || error.is_decode() || error.is_service() {
            let note = format!("{address} does not respond as the LiveAvatar service: {error}");
            return Err(checks.fail_for("host", &note, error.into(), Some(ADDRESS_NEXT)));
        }
    }
    // JSON output omits the time, so that two runs can be compared.
    let note = match checks.output.format {
        Format::Text => format!("responded in {} ms", begin.elapsed().as_millis()),
        _ => "responded".to_owned(),
    };
    checks.pass("host", &note);
    let tls = if address.starts_with("https") { "certificate trusted" } else { "not used: plain http" };
    checks.pass("tls", tls);
    Ok(())
}

async fn check_account(service: &Service, checks: &mut Checks) -> Result<(), Failure> {
    checks.begin("the API key");
    let client = service.client().map_err(|failure| checks.fail("key", failure, None))?;
    let credits = client.get_user_credits().send().await;
    let credits = credits.map_err(|error| {
        let next = error.is_unauthorized().then_some(KEY_NEXT);
        checks.fail("key", error, next)
    })?;
    checks.pass("key", "accepted");
    match credits.credits_left {
        Some(left) if left <= 0 => {
            checks.warn("credits", &format!("{left} left, so only sandbox sessions can start"), CREDITS_NEXT);
        }
        Some(left) => checks.pass("credits", &format!("{left} left")),
        None => checks.warn("credits", "the service does not say how many are left", CREDITS_NEXT),
    }
    checks.begin("the active sessions");
    let active = client.list_sessions().type_("active").page_size(100).all().await;
    let active = active.map_err(|error| checks.fail("sessions", error, None))?;
    checks.pass("sessions", &format!("{} active", active.len()));
    Ok(())
}

/// Opens a sandbox session, connects to its web socket and stops it.
async fn check_session(service: &Service, checks: &mut Checks) -> Result<(), Failure> {
    checks.begin("a sandbox session");
    let silent = Output { format: Format::Silent, secrets: Secrets::Hidden };
    let (configuration, options) = (sandbox_configuration()?, SupervisionOptions::default());
    let opened = foreground_session::open(service, &configuration, options, silent).await;
    let Some(mut foreground) = opened.map_err(|failure| checks.fail("sandbox", failure, None))? else {
        return Err(interrupted(checks, "sandbox"));
    };
    checks.pass("sandbox", "session started");
    checks.begin("the web socket");
    let session = foreground.session();
    let connected = foreground.run(session.connect()).await;
    let stopped = foreground.stop().await;
    match connected {
        Outcome::Done(Ok(_)) => checks.pass("socket", "connected"),
        Outcome::Done(Err(error)) => return Err(checks.fail("socket", error, Some(SOCKET_NEXT))),
        Outcome::Interrupted | Outcome::SessionEnded => return Err(interrupted(checks, "socket")),
    }
    stopped.map_err(|failure| checks.fail("stop", failure, None))?;
    checks.pass("stop", "session stopped");
    Ok(())
}

fn interrupted(checks: &mut Checks, check: &'static str) -> Failure {
    checks.fail(check, Failure::incomplete("interrupted", "no session is running", Value::Null), None)
}

/// Whether the TCP connection succeeded and TLS failed: the causes name every other kind of connection error.
fn is_tls_error(address: &str, error: &Error) -> bool {
    let causes: Vec<_> = causes(error).map(ToString::to_string).collect();
    let any = |words: &[&str]| causes.iter().any(|cause| words.iter().any(|word| cause.contains(word)));
    address.starts_with("https")
        && any(&["(Connect)"])
        && !any(&["dns", "tcp", "timed out", "tunnel", "proxy"])
}
