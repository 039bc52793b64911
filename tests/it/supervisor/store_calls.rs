//! Which store methods are called for a session, and when.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use liveavatar_api::session::SessionEvent;
use liveavatar_api::store::{Account, BoxFuture, Store, StoreError};
use liveavatar_api::{ErrorKind, Uuid};
use liveavatar_mock::{MockResponse, Server};
use serde_json::json;
use tokio::time::sleep;

use super::{Lab, lite, settle};

/// A store that records its calls and fails on request.
#[derive(Debug, Default)]
struct RecordingStore {
    calls: Mutex<Vec<&'static str>>,
    /// `None` for a call that never completes.
    failures: Mutex<Vec<(&'static str, Option<StoreError>)>>,
}

impl RecordingStore {
    fn record(&self, method: &'static str) -> BoxFuture<'_, Result<(), StoreError>> {
        self.calls.lock().unwrap().push(method);
        let mut failures = self.failures.lock().unwrap();
        let failure =
            failures.iter().position(|(failing, _)| *failing == method).map(|at| failures.remove(at).1);
        match failure {
            Some(None) => Box::pin(std::future::pending()),
            Some(Some(error)) => Box::pin(std::future::ready(Err(error))),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn fail(&self, method: &'static str, error: StoreError) {
        self.failures.lock().unwrap().push((method, Some(error)));
    }

    fn hang(&self, method: &'static str) {
        self.failures.lock().unwrap().push((method, None));
    }

    fn calls(&self) -> String {
        self.calls.lock().unwrap().join(" ")
    }
}

impl Store for RecordingStore {
    fn acquire(&self, _: Account, _: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        assert!(until > SystemTime::now() + Duration::from_secs(600));
        self.record("acquire")
    }

    fn renew(&self, _: Account, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        self.record("renew")
    }

    fn release(&self, _: Account, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        self.record("release")
    }

    fn claim_abandoned(&self, _: Account) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn held(&self, _: Account) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        Box::pin(std::future::ready(Ok(BTreeSet::new())))
    }
}

async fn lab() -> (Lab, Arc<RecordingStore>) {
    let store = Arc::new(RecordingStore::default());
    let shared: Arc<dyn Store> = Arc::<RecordingStore>::clone(&store);
    (Lab::with(Server::builder(), Some(shared)).await, store)
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_acquired_before_the_start_renewed_with_each_keep_alive_and_released() {
    let (lab, store) = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    assert_eq!(store.calls(), "acquire");
    sleep(Duration::from_secs(180)).await;
    session.stop().await.unwrap();
    assert_eq!(store.calls(), "acquire renew renew renew release");
}

#[tokio::test(start_paused = true)]
async fn activity_replaces_the_keep_alive_call_but_not_the_renewal() {
    let (lab, store) = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    for _ in 0..12 {
        session.record_activity();
        sleep(Duration::from_secs(15)).await;
    }
    assert_eq!((lab.count("keep_session_alive"), store.calls().as_str()), (0, "acquire renew renew renew"));
}

#[tokio::test(start_paused = true)]
async fn without_a_slot_nothing_is_started() {
    let (lab, store) = lab().await;
    store.fail("acquire", StoreError::no_slot(Some(Duration::from_secs(9))));
    let full = lab.client.open(&lite()).await.unwrap_err();
    assert_eq!(
        (full.kind(), full.retry_after()),
        (ErrorKind::ConcurrencyLimit, Some(Duration::from_secs(9)))
    );
    store.fail("acquire", StoreError::unavailable("the disk is gone"));
    let gone = lab.client.open(&lite()).await.unwrap_err();
    assert!(gone.is_store() && !gone.may_have_been_sent());
    insta::assert_snapshot!(format!("{full}\n{gone}"), @"
    all slots of the session store are taken
    the session store failed, and the session was not started
    ");
    settle().await;
    // The failed call may have acquired the slot.
    assert_eq!(store.calls(), "acquire acquire release");
    insta::assert_snapshot!(lab.calls(), @"create_session_token 200 x2");
}

#[tokio::test(start_paused = true)]
async fn an_unresponsive_store_does_not_block_the_opening() {
    let (lab, store) = lab().await;
    store.hang("acquire");
    let error = tokio::time::timeout(Duration::from_secs(60), lab.client.open(&lite())).await.unwrap();
    assert!(error.unwrap_err().is_store());
    settle().await;
    // The slot may have been acquired.
    assert_eq!(store.calls(), "acquire release");
    assert_eq!(lab.count("start_session"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_start_releases_the_slot() {
    let (lab, store) = lab().await;
    lab.server.mock_response(
        "start_session",
        MockResponse::json(403, json!({ "code": 4033, "message": "No credits available" })),
    );
    lab.client.open(&lite()).await.unwrap_err();
    settle().await;
    assert_eq!(store.calls(), "acquire release");
}

#[tokio::test(start_paused = true)]
async fn a_session_survives_a_failing_store() {
    let (lab, store) = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let mut events = session.events();
    store.fail("renew", StoreError::unavailable("the disk is gone"));
    store.fail("release", StoreError::unavailable("the disk is gone"));
    assert!(matches!(events.next().await, Some(SessionEvent::StoreFailed(_))));
    session.stop().await.unwrap();
    settle().await;
    assert_eq!(store.calls(), "acquire renew release release");
}
