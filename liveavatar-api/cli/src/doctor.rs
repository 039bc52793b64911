//! `doctor`: checking everything that a session needs, in order.

use std::time::Instant;

use clap::Args;
use liveavatar_api::types::ListSessionsType;
use liveavatar_api::{Error, RequestOptions};
use serde_json::{Value, json};

use crate::failure::{Failure, causes};
use crate::foreground_session::{self, Outcome, SupervisionOptions, sandbox_configuration};
use crate::output::{Format, Output, Secrets};
use crate::service::Service;
use crate::terminal::print_line;

const ADDRESS_HINT: &str = "correct LIVEAVATAR_BASE_URL or --base-url, or omit both to use the default";
const HOST_HINT: &str = "check the network, HTTPS_PROXY and LIVEAVATAR_BASE_URL";
const TLS_HINT: &str =
    "add the certificate of a TLS-inspecting proxy to the system's store, and check the system clock";
const SOCKET_HINT: &str = "LITE sessions connect to a web socket directly; proxies are not supported";

#[derive(Args)]
pub(crate) struct Doctor {
    /// Skip the sandbox session, which is free but briefly occupies a session slot
    #[arg(long)]
    no_session: bool,
}

/// The results so far.
struct Checks {
    done: Vec<Value>,
    output: Output,
}

impl Checks {
    fn pass(&mut self, check: &'static str, note: impl Into<String>) {
        let note = note.into();
        if self.output.format == Format::Text {
            print_line(&format!("ok    {check:<8} {note}"));
        }
        self.done.push(json!({"check": check, "ok": true, "note": note}));
    }

    /// Records a failed check, which is the last one because the others depend on it.
    fn fail(
        &mut self,
        check: &'static str,
        failure: impl Into<Failure>,
        hint: Option<&'static str>,
    ) -> Failure {
        let failure = failure.into();
        if self.output.format == Format::Text {
            print_line(&format!("fail  {check}"));
        }
        let note = failure.message().map(|message| message.replace("\n  ", "; "));
        self.done.push(json!({"check": check, "ok": false, "note": note}));
        Failure::Check { failure: Box::new(failure), hint, checks: std::mem::take(&mut self.done) }
    }
}

impl Doctor {
    /// Runs the checks up to the first that fails.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut checks = Checks { done: Vec::new(), output };
        check_service(service, &mut checks).await?;
        check_account(service, &mut checks).await?;
        if !self.no_session {
            check_session(service, &mut checks).await?;
        }
        output.print_as(Value::Array(checks.done), "all checks passed");
        Ok(())
    }
}

async fn check_service(service: &Service, checks: &mut Checks) -> Result<(), Failure> {
    let address = service.base_url();
    // Retries would only delay the result.
    let client = service.builder().options(RequestOptions::new().max_attempts(1)).build();
    let client = client.map_err(|error| checks.fail("address", error, Some(ADDRESS_HINT)))?;
    // Only a valid address is printed: an invalid one may contain a password.
    checks.pass("address", address.clone());

    let begin = Instant::now();
    if let Err(error) = client.list_public_avatars().page_size(1).send().await
        && error.status().is_none()
    {
        if is_tls_error(&address, &error) {
            checks.pass("host", "reachable");
            return Err(checks.fail("tls", error, Some(TLS_HINT)));
        }
        return Err(checks.fail("host", error, Some(HOST_HINT)));
    }
    // JSON output omits the time, so that two runs can be compared.
    let note = match checks.output.format {
        Format::Text => format!("responded in {} ms", begin.elapsed().as_millis()),
        _ => "responded".to_owned(),
    };
    checks.pass("host", note);
    let tls = if address.starts_with("https") { "certificate trusted" } else { "not used: plain http" };
    checks.pass("tls", tls);
    Ok(())
}

async fn check_account(service: &Service, checks: &mut Checks) -> Result<(), Failure> {
    let client = service.client().map_err(|failure| checks.fail("key", failure, None))?;
    let credits = client.get_user_credits().send().await;
    let credits = credits.map_err(|error| checks.fail("key", error, None))?;
    checks.pass("key", "accepted");
    let note = credits.credits_left.map_or_else(
        || "unknown".to_owned(),
        |left| match left.amount() {
            Some(amount) if amount.is_zero() || amount.is_sign_negative() => {
                format!("{left} left: only sandbox sessions can start")
            }
            _ => format!("{left} left"),
        },
    );
    checks.pass("credits", note);
    let active = client.list_sessions().type_(ListSessionsType::Active).page_size(100).all().await;
    let active = active.map_err(|error| checks.fail("sessions", error, None))?;
    checks.pass("sessions", format!("{} active", active.len()));
    Ok(())
}

/// Opens a sandbox session, connects to its web socket and stops it.
async fn check_session(service: &Service, checks: &mut Checks) -> Result<(), Failure> {
    let silent = Output { format: Format::Silent, secrets: Secrets::Hidden };
    let (configuration, options) = (sandbox_configuration()?, SupervisionOptions::default());
    let opened = foreground_session::open(service, &configuration, options, silent).await;
    let Some(mut foreground) = opened.map_err(|failure| checks.fail("sandbox", failure, None))? else {
        return Err(interrupted(checks, "sandbox"));
    };
    checks.pass("sandbox", "session started");
    let session = foreground.session();
    let connected = foreground.run(session.connect()).await;
    let stopped = foreground.stop().await;
    match connected {
        Outcome::Done(Ok(_)) => checks.pass("socket", "connected"),
        Outcome::Done(Err(error)) => return Err(checks.fail("socket", error, Some(SOCKET_HINT))),
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
