//! What a session store is told, and when.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use liveavatar_api::session::SessionEvent;
use liveavatar_api::store::{BoxFuture, Store, StoreError};
use liveavatar_api::{ErrorKind, Uuid};
use liveavatar_mock::{MockResponse, Server};
use serde_json::json;
use tokio::time::sleep;

use super::{Lab, lite, settle};

/// Writes down what it is told, and fails as it is told to.
#[derive(Debug, Default)]
struct Diary {
    lines: Mutex<Vec<&'static str>>,
    /// None for a call that is never answered.
    failures: Mutex<Vec<(&'static str, Option<StoreError>)>>,
}

impl Diary {
    fn say(&self, what: &'static str) -> BoxFuture<'_, Result<(), StoreError>> {
        self.lines.lock().unwrap().push(what);
        let mut failures = self.failures.lock().unwrap();
        let failure = failures.iter().position(|(when, _)| *when == what).map(|at| failures.remove(at).1);
        match failure {
            Some(None) => Box::pin(std::future::pending()),
            Some(Some(error)) => Box::pin(std::future::ready(Err(error))),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn fail(&self, what: &'static str, error: StoreError) {
        self.failures.lock().unwrap().push((what, Some(error)));
    }

    fn hang(&self, what: &'static str) {
        self.failures.lock().unwrap().push((what, None));
    }

    fn lines(&self) -> String {
        self.lines.lock().unwrap().join(" ")
    }
}

impl Store for Diary {
    fn acquire(&self, _: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        assert!(until > SystemTime::now() + Duration::from_secs(600));
        self.say("take")
    }

    fn renew(&self, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        self.say("renew")
    }

    fn release(&self, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        self.say("release")
    }

    fn claim_abandoned(&self) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn held(&self) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        Box::pin(std::future::ready(Ok(BTreeSet::new())))
    }
}

async fn lab() -> (Lab, Arc<Diary>) {
    let diary = Arc::new(Diary::default());
    let store: Arc<dyn Store> = Arc::<Diary>::clone(&diary);
    (Lab::with(Server::builder(), Some(store)).await, diary)
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_taken_before_the_start_renewed_with_each_keep_alive_and_given_back() {
    let (lab, diary) = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    assert_eq!(diary.lines(), "take");
    sleep(Duration::from_secs(180)).await;
    session.stop().await.unwrap();
    assert_eq!(diary.lines(), "take renew renew renew release");
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_spares_the_call_and_not_the_lease() {
    let (lab, diary) = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    for _ in 0..12 {
        session.sign_of_life();
        sleep(Duration::from_secs(15)).await;
    }
    assert_eq!((lab.count("keep_session_alive"), diary.lines().as_str()), (0, "take renew renew renew"));
}

#[tokio::test(start_paused = true)]
async fn without_a_slot_nothing_is_started() {
    let (lab, diary) = lab().await;
    diary.fail("take", StoreError::no_slot(Some(Duration::from_secs(9))));
    let full = lab.client.open(&lite()).await.unwrap_err();
    assert_eq!(
        (full.kind(), full.retry_after()),
        (ErrorKind::ConcurrencyLimit, Some(Duration::from_secs(9)))
    );
    diary.fail("take", StoreError::unavailable("the disk is gone"));
    let gone = lab.client.open(&lite()).await.unwrap_err();
    assert!(gone.is_store() && !gone.may_have_been_sent());
    insta::assert_snapshot!(format!("{full}\n{gone}"), @"
    the session store has no free slot
    the session store could not be used, and the session was not started
    ");
    settle().await;
    // What could not be reached may have taken it all the same.
    assert_eq!(diary.lines(), "take take release");
    insta::assert_snapshot!(lab.calls(), @"create_session_token 200 x2");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_holds_up_no_opening() {
    let (lab, diary) = lab().await;
    diary.hang("take");
    let error = tokio::time::timeout(Duration::from_secs(60), lab.client.open(&lite())).await.unwrap();
    assert!(error.unwrap_err().is_store());
    settle().await;
    // It may have been taken all the same.
    assert_eq!(diary.lines(), "take release");
    assert_eq!(lab.count("start_session"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_start_gives_the_slot_back() {
    let (lab, diary) = lab().await;
    lab.server.mock_response(
        "start_session",
        MockResponse::json(403, json!({ "code": 4033, "message": "No credits available" })),
    );
    lab.client.open(&lite()).await.unwrap_err();
    settle().await;
    assert_eq!(diary.lines(), "take release");
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_kills_no_session() {
    let (lab, diary) = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let mut events = session.events();
    diary.fail("renew", StoreError::unavailable("the disk is gone"));
    diary.fail("release", StoreError::unavailable("the disk is gone"));
    assert!(matches!(events.next().await, Some(SessionEvent::StoreFailed(_))));
    session.stop().await.unwrap();
    settle().await;
    assert_eq!(diary.lines(), "take renew release release");
}
