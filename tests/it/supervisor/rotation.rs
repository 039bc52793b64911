//! Replacing a session before it expires.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use liveavatar_api::Uuid;
use liveavatar_api::session::{EndReason, SessionEvent, State};
use liveavatar_api::store::{Account, BoxFuture, Store, StoreError};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Lab, lasting, lite, settle};

#[tokio::test(start_paused = true)]
async fn a_rotation_leaves_no_gap_and_stops_the_old_session() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lasting(120)).auto_rotate().await.unwrap();
    let mut events = session.events();
    let first = session.id();
    for _ in 0..600 {
        sleep(Duration::from_secs(1)).await;
        assert!(lab.server.running_sessions().contains(&session.id()));
        assert_eq!(session.started().session_id, session.id().to_string());
        assert!(session.time_left().unwrap() > Duration::from_secs(25));
    }
    let Some(SessionEvent::Rotated { from, to }) = events.next().await else { panic!("no rotation") };
    assert_eq!(from, first);
    assert_ne!(to, first);
    assert_eq!(session.state(), State::Started);
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    session.stop().await.unwrap();
    assert!(lab.server.running_sessions().is_empty());
    insta::assert_snapshot!(lab.calls(), @"
    create_session_token 200
    start_session 201
    keep_session_alive 200
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200 x2
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200 x2
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200 x2
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200
    stop_session 200
    ");
}

#[tokio::test(start_paused = true)]
async fn with_one_slot_the_old_session_runs_to_its_end_first() {
    let lab = Lab::with(Server::builder().session_limit(1), None).await;
    let session = lab.client.open(&lasting(120)).auto_rotate().await.unwrap();
    let start = Instant::now();
    let mut timeline = Vec::new();
    let mut events = session.events();
    while timeline.len() < 5 {
        let event = events.next().await.unwrap();
        timeline.push(format!("{:4.0} s  {event:?}", start.elapsed().as_secs_f64()));
    }
    let timeline: Vec<_> = timeline.iter().map(|line| line.split(" code:").next().unwrap()).collect();
    insta::assert_snapshot!(timeline.join("\n"), @r#"
     90 s  RotationFailed(Error { kind: ConcurrencyLimit, operation: Some("start_session"), status: Some(403),
    105 s  EndsSoon(15s)
    105 s  RotationFailed(Error { kind: ConcurrencyLimit, operation: Some("start_session"), status: Some(403),
    123 s  Rotated { from: 5e551001-0000-4000-8000-000000000001, to: 5e551001-0000-4000-8000-000000000004 }
    213 s  RotationFailed(Error { kind: ConcurrencyLimit, operation: Some("start_session"), status: Some(403),
    "#);
    assert_eq!(lab.server.running_sessions(), [session.id()]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_replaced_ends_at_its_maximum_duration() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lasting(120)).auto_rotate().await.unwrap();
    for _ in 0..3 {
        lab.server.mock_response("create_session_token", MockResponse::json(402, json!({})));
    }
    assert_eq!(session.ended().await.unwrap(), EndReason::MaxDuration);
    settle().await;
    lab.check_nothing_leaked("without credits").await;
    assert!(lab.reported().is_empty());
}

#[tokio::test(start_paused = true)]
async fn sessions_that_end_too_soon_are_not_replaced_again_and_again() {
    let lab = Lab::start().await;
    let data = json!({ "session_id": "any", "max_session_duration": 1 });
    let response = MockResponse::json(201, json!({ "code": 1000, "data": data, "message": null }));
    lab.server.inject_fault("start_session", 40, Fault::After(Failure::Response(response)));
    let session = lab.client.open(&lite()).auto_rotate().await.unwrap();
    let mut events = session.events();
    let ended = tokio::time::timeout(Duration::from_secs(20), session.ended()).await;
    assert_eq!(ended.expect("it is replaced again and again").unwrap(), EndReason::MaxDuration);
    assert_eq!(lab.count("start_session"), 2);
    let error = loop {
        if let SessionEvent::RotationFailed(error) = events.next().await.expect("a rotation fails") {
            break error;
        }
    };
    insta::assert_snapshot!(error, @"the session ends too soon to be replaced: rotations must be at least 15 s apart");
}

/// A store with one slot, which is free again some seconds after the stop.
#[derive(Debug, Default)]
struct OneSlot(Mutex<Option<Uuid>>);

impl Store for OneSlot {
    fn acquire(&self, _: Account, session: Uuid, _: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut holder = self.0.lock().unwrap();
        let result = if holder.is_some() { Err(StoreError::no_slot(None)) } else { Ok(()) };
        holder.get_or_insert(session);
        Box::pin(std::future::ready(result))
    }

    fn renew(&self, _: Account, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn release(&self, _: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.lock().unwrap().take_if(|holder| *holder == session);
        Box::pin(std::future::ready(Ok(())))
    }

    fn claim_abandoned(&self, _: Account) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn held(&self, _: Account) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.0.lock().unwrap().iter().copied().collect())))
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_with_all_slots_taken_moves_the_slot_to_the_new_session() {
    let store = Arc::new(OneSlot::default());
    let shared: Arc<dyn Store> = Arc::<OneSlot>::clone(&store);
    let lab = Lab::with(Server::builder(), Some(shared)).await;
    let session = lab.client.open(&lasting(120)).auto_rotate().await.unwrap();
    let first = session.id();
    sleep(Duration::from_secs(200)).await;
    assert_eq!(session.state(), State::Started);
    assert_ne!(session.id(), first);
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    assert_eq!(*store.0.lock().unwrap(), Some(session.id()));
    session.stop().await.unwrap();
    assert_eq!(*store.0.lock().unwrap(), None);
}
