//! Supervised sessions are kept alive, rotated and stopped or reported, despite failures. The clock is paused.

mod cancellation;
mod lifecycle;
mod lite_socket;
mod model;
mod proof;
mod random_failures;
mod rotation;
mod runtimes;
mod stop;
mod store_calls;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveavatar_api::session::{LiteSession, StopFailed};
use liveavatar_api::store::Store;
use liveavatar_api::types::{ListHistoricEntry, ListSessionsType};
use liveavatar_api::{Client, ClientBuilder, Credential, Uuid};
use liveavatar_mock::{Builder, Server};
use tokio::time::sleep;

const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// A mock, a client, and the sessions that the client has reported.
struct Lab {
    server: Server,
    client: Client,
    reported: Arc<Mutex<Vec<StopFailed>>>,
}

impl Lab {
    async fn start() -> Self {
        Self::with(Server::builder().session_limit(10_000), None).await
    }

    async fn with(server: Builder, store: Option<Arc<dyn Store>>) -> Self {
        let server = server.start().await.unwrap();
        let (client, reported) = reporting(&server, store);
        Self { server, client, reported }
    }

    fn reported(&self) -> Vec<String> {
        self.reported.lock().unwrap().iter().map(ToString::to_string).collect()
    }

    /// The calls so far that got a response, one line per operation and status; consecutive equal ones are counted.
    fn calls(&self) -> String {
        let mut calls: Vec<(String, u32)> = Vec::new();
        for request in self.server.requests() {
            // Requests that a fault broke are left out: how often they were sent depends on the retries.
            let Some(status) = request.status else { continue };
            let name = format!("{} {status}", request.operation.unwrap_or_default());
            match calls.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                _ => calls.push((name, 1)),
            }
        }
        let calls =
            calls.into_iter().map(|(name, count)| if count == 1 { name } else { format!("{name} x{count}") });
        calls.collect::<Vec<_>>().join("\n")
    }

    fn count(&self, operation: &str) -> usize {
        self.server.requests().iter().filter(|it| it.operation.as_deref() == Some(operation)).count()
    }

    /// Fails if a session was not stopped and not reported, even if the service has ended it for idleness.
    async fn check_nothing_leaked(&self, when: &str) {
        self.server.clear_faults();
        let reported: BTreeSet<Uuid> = self.reported.lock().unwrap().iter().map(|it| it.id).collect();
        let running: Vec<Uuid> = self.server.running_sessions();
        let leaked: Vec<_> = running.iter().filter(|id| !reported.contains(id)).collect();
        assert!(leaked.is_empty(), "{when}: running and not reported: {leaked:?}");
        let idle = self.historic().await.into_iter().filter(|entry| {
            entry.end_reason.as_ref().is_some_and(|reason| reason.to_string() == "IDLE_TIMEOUT")
        });
        let idle: Vec<_> = idle.map(|entry| entry.id).filter(|id| !reported.contains(id)).collect();
        assert!(idle.is_empty(), "{when}: ended only for idleness: {idle:?}");
    }

    async fn historic(&self) -> Vec<ListHistoricEntry> {
        self.client.list_sessions().type_(ListSessionsType::Historic).page_size(100).all().await.unwrap()
    }
}

fn reporting(server: &Server, store: Option<Arc<dyn Store>>) -> (Client, Arc<Mutex<Vec<StopFailed>>>) {
    let (builder, reported) = reporting_builder(server);
    let builder = match store {
        Some(store) => builder.session_store(store),
        None => builder,
    };
    (builder.build().unwrap(), reported)
}

/// A builder of a client, and the sessions that the client will have reported.
fn reporting_builder(server: &Server) -> (ClientBuilder, Arc<Mutex<Vec<StopFailed>>>) {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&reported);
    let builder = Client::builder().base_url(server.url()).seed(1);
    let builder = builder.credential(Credential::api_key(server.api_key()).unwrap());
    let builder = builder.on_stop_failed(move |failed| list.lock().unwrap().push(failed.clone()));
    (builder, reported)
}

fn lite() -> LiteSession {
    LiteSession::builder().avatar_id(AVATAR).build().unwrap()
}

fn lasting(seconds: i64) -> LiteSession {
    LiteSession::builder().avatar_id(AVATAR).max_session_duration(seconds).build().unwrap()
}

/// Waits, in virtual time, until every stop has succeeded or was reported.
async fn settle() {
    sleep(Duration::from_secs(400)).await;
}
