//! Whether everything is as it must be for a session: address, TLS, key, credits, a session in the sandbox.

use std::error::Error as _;
use std::time::Instant;

use clap::Args;
use liveavatar_api::types::ListSessionsType;
use liveavatar_api::{Call as _, Error, Paged as _, RequestOptions};
use serde_json::{Value, json};

use crate::connect::Service;
use crate::foreground::{self, Beside, Upkeep};
use crate::output::{Failure, Form, Output, Secrets, line};
use crate::speak::sandbox;

#[derive(Args)]
pub(crate) struct Doctor {
    /// Starts no session in the sandbox; one costs no credits, and takes a slot for a moment
    #[arg(long)]
    no_session: bool,
}

/// What was looked at, one thing after the other.
struct Checks {
    done: Vec<Value>,
    output: Output,
}

impl Checks {
    fn good(&mut self, check: &'static str, note: impl Into<String>) {
        let note = note.into();
        if self.output.form == Form::People {
            line(&format!("ok  {check:<8} {note}"));
        }
        self.done.push(json!({"check": check, "ok": true, "note": note}));
    }

    /// The check that ends it: what follows rests on it.
    fn bad(
        &mut self,
        check: &'static str,
        failure: impl Into<Failure>,
        hint: Option<&'static str>,
    ) -> Failure {
        let failure = failure.into();
        if self.output.form == Form::People {
            line(&format!("no  {check}"));
        }
        let note = failure.message().map(|message| message.replace("\n  ", "; "));
        self.done.push(json!({"check": check, "ok": false, "note": note}));
        Failure::Check { failure: Box::new(failure), hint, checks: std::mem::take(&mut self.done) }
    }
}

impl Doctor {
    /// Looks at one thing after the other, up to the first that is wrong.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut checks = Checks { done: Vec::new(), output };
        self.examine(service, &mut checks).await?;
        output.told(Value::Array(checks.done), "everything is as it must be");
        Ok(())
    }

    async fn examine(&self, service: &Service, checks: &mut Checks) -> Result<(), Failure> {
        // The address may carry what should not show, which building the client refuses.
        let address = service.base_url();
        // Once is enough to see what is wrong.
        let anybody =
            service.builder().options(RequestOptions::new().max_attempts(1)).build().map_err(|error| {
                let hint =
                    "correct LIVEAVATAR_BASE_URL or --base-url, or leave both out for the service itself";
                checks.bad("address", error, Some(hint))
            })?;
        checks.good("address", address.clone());

        let begin = Instant::now();
        if let Err(error) = anybody.list_public_avatars().page_size(1).data().await
            && error.status().is_none()
        {
            if is_tls(&address, &error) {
                checks.good("host", "can be reached");
                return Err(checks.bad("tls", error, Some(TLS)));
            }
            return Err(checks.bad("host", error, Some(HOST)));
        }
        checks.good("host", answered(checks.output, begin));
        let tls =
            if address.starts_with("https") { "the certificate is trusted" } else { "none: plain http" };
        checks.good("tls", tls);

        let client = service.client().map_err(|failure| checks.bad("key", failure, None))?;
        let credits = client.get_user_credits().data().await;
        let credits = credits.map_err(|error| checks.bad("key", error, None))?;
        checks.good("key", "the service takes it");
        let left = credits.credits_left.map_or_else(
            || "unknown".to_owned(),
            |left| match left.amount() {
                Some(amount) if amount.is_zero() || amount.is_sign_negative() => {
                    format!("{left} left: nothing but the sandbox starts")
                }
                _ => format!("{left} left"),
            },
        );
        checks.good("credits", left);
        let active = client.list_sessions().type_(ListSessionsType::Active).page_size(100).all().await;
        let active = active.map_err(|error| checks.bad("sessions", error, None))?;
        checks.good("sessions", format!("{} running", active.len()));
        if !self.no_session {
            round_trip(service, checks).await?;
        }
        Ok(())
    }
}

/// A session in the sandbox: token, start, web socket, stop.
async fn round_trip(service: &Service, checks: &mut Checks) -> Result<(), Failure> {
    const SANDBOX: &str = "sandbox";
    // Its own lines are not the doctor's.
    let silent = Output { form: Form::Silent, secrets: Secrets::Hidden };
    let opened = foreground::open(service, &sandbox()?, Upkeep::default(), silent).await;
    let Some(mut foreground) = opened.map_err(|failure| checks.bad(SANDBOX, failure, None))? else {
        return Err(interrupted(checks, SANDBOX));
    };
    checks.good(SANDBOX, "a session started");
    let session = foreground.session();
    let connected = foreground.beside(session.connect()).await;
    let stopped = foreground.leave().await;
    match connected {
        Beside::Done(Ok(_)) => checks.good("socket", "the avatar takes commands"),
        Beside::Done(Err(error)) => {
            let hint = "LITE sessions need an open way for web sockets; no proxy is used for them";
            return Err(checks.bad("socket", error, Some(hint)));
        }
        Beside::Interrupted | Beside::Ended => return Err(interrupted(checks, "socket")),
    }
    stopped.map_err(|failure| checks.bad("stop", failure, None))?;
    checks.good("stop", "the session is stopped");
    Ok(())
}

fn interrupted(checks: &mut Checks, check: &'static str) -> Failure {
    let failure = Failure::Failed {
        message: "interrupted".to_owned(),
        hint: "nothing of it runs on".to_owned(),
        data: Value::Null,
    };
    checks.bad(check, failure, None)
}

/// How long the service took; programs are told nothing that changes with every run.
fn answered(output: Output, begin: Instant) -> String {
    match output.form {
        Form::People => format!("answers in {} ms", begin.elapsed().as_millis()),
        _ => "answers".to_owned(),
    }
}

const HOST: &str = "check the network, HTTPS_PROXY and LIVEAVATAR_BASE_URL";
const TLS: &str = "a proxy that reads TLS needs its certificate in the system's store; with a wrong clock no certificate is valid";

/// Whether a connection stood and TLS failed on it: what else goes wrong with connecting is named in the causes.
fn is_tls(address: &str, error: &Error) -> bool {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    let any = |words: &[&str]| causes.iter().any(|cause| words.iter().any(|word| cause.contains(word)));
    address.starts_with("https")
        && any(&["(Connect)"])
        && !any(&["dns", "tcp", "timed out", "tunnel", "proxy"])
}
