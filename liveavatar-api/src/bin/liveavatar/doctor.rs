//! Whether everything is as it must be for a session: address, key, host, credits, a session in the sandbox.

use clap::Args;
use liveavatar_api::session::{Configuration, Lite, SANDBOX_AVATAR_ID};
use liveavatar_api::types::ListSessionsType;
use liveavatar_api::{Call as _, Client, Error, Paged as _};
use serde_json::{Value, json};

use crate::connect::Service;
use crate::output::{Failure, Output};

#[derive(Args)]
pub(crate) struct Doctor {
    /// Start no session in the sandbox; one costs no credits, and takes a slot for a moment
    #[arg(long)]
    no_session: bool,
}

impl Doctor {
    /// Looks at one thing after the other, up to the first that is wrong.
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let mut found = Vec::new();
        let outcome = self.examine(service, output, &mut found).await;
        if outcome.is_ok() {
            output.told(Value::Array(found), "everything is as it must be");
        }
        outcome
    }

    async fn examine(
        &self,
        service: &Service,
        output: Output,
        found: &mut Vec<Value>,
    ) -> Result<(), Failure> {
        let mut good = |check: &str, note: String| {
            output.progress(&format!("ok  {check}: {note}"));
            found.push(json!({"check": check, "note": note}));
        };
        // The address may carry what should not show, which building the client refuses.
        let host = service.builder().build().map(|_| service.base_url())?;
        good("address", host);
        let client = service.client()?;
        good("key", "is set, and can be sent".to_owned());
        let credits = client.get_user_credits().data().await?;
        good("service", "answers, and takes the key".to_owned());
        let left = credits.credits_left.map_or_else(|| "unknown".to_owned(), |left| format!("{left} left"));
        good("credits", left);
        let active = client.list_sessions().type_(ListSessionsType::Active).page_size(100).all().await?;
        good("sessions", format!("{} running", active.len()));
        if !self.no_session {
            sandbox(&client).await?;
            good("sandbox", "a session was started and stopped".to_owned());
        }
        Ok(())
    }
}

async fn sandbox(client: &Client) -> Result<(), Error> {
    let configuration =
        Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true));
    // The library's own rules hold for it, which its tests say.
    let Ok(configuration) = configuration else { return Ok(()) };
    client.open(&configuration).await?.stop().await
}
