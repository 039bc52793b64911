//! Sessions of one client on several runtimes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveavatar_api::session::{KEEP_ALIVE_INTERVAL, State};
use liveavatar_mock::{Fault, Server};
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{Lab, lite, reporting};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_idle_runtime_does_not_affect_the_sessions_of_another() {
    let lab = Lab::start().await;
    let client = lab.client.clone();
    let (idle, first) = spawn_blocking(move || {
        let runtime = current_thread();
        let session = runtime.block_on(client.open(&lite())).unwrap();
        (runtime, session)
    })
    .await
    .unwrap();
    let session = lab.client.open(&lite()).await.unwrap();
    sleep(KEEP_ALIVE_INTERVAL * 3).await;
    let id = session.id().to_string();
    let is_keep_alive = |operation: Option<&str>| operation == Some("keep_session_alive");
    let requests = lab.server.requests();
    let calls = requests.iter().filter(|it| is_keep_alive(it.operation.as_deref()));
    assert_eq!(calls.filter(|it| String::from_utf8_lossy(&it.body).contains(&id)).count(), 3);
    timeout(Duration::from_secs(5), session.stop()).await.expect("the idle runtime blocks the stop").unwrap();
    // The caller of a shutdown also stops the sessions of runtimes that are idle.
    let failed = timeout(Duration::from_secs(5), lab.client.shutdown()).await;
    assert!(failed.expect("the idle runtime blocks the shutdown").is_empty());
    assert!(lab.server.running_sessions().is_empty() && lab.reported().is_empty());
    assert!(first.state().is_over());
    idle.shutdown_background();
    assert!(lab.reported().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_an_idle_runtime_that_opens_a_session() {
    let lab = Lab::start().await;
    let client = lab.client.clone();
    // The start takes effect when its runtime is idle.
    lab.server.inject_fault("start_session", 1, Fault::Delayed(Duration::from_secs(20)));
    let idle = spawn_blocking(move || {
        let runtime = current_thread();
        runtime.block_on(async {
            let opening = tokio::spawn(client.open(&lite()));
            while !client.sessions().values().any(|state| *state == State::Minted) {
                tokio::task::yield_now().await;
            }
            // Sends the start request.
            let _ = timeout(Duration::from_millis(200), opening).await;
        });
        runtime
    });
    let idle = idle.await.unwrap();
    let failed = timeout(Duration::from_secs(180), lab.client.shutdown()).await;
    assert!(failed.expect("it waits for the idle runtime").is_empty());
    assert_eq!((lab.count("start_session"), lab.server.running_sessions().len()), (1, 0));
    // Once the runtime continues, it learns of the start, and stops the session once more.
    let client = lab.client.clone();
    let stops = lab.count("stop_session");
    let continued = spawn_blocking(move || {
        idle.block_on(async {
            let _ = timeout(Duration::from_millis(500), std::future::pending::<()>()).await;
            while !client.sessions().is_empty() {
                tokio::task::yield_now().await;
            }
        });
    });
    continued.await.unwrap();
    assert_eq!(lab.count("stop_session"), stops + 1);
    assert!(lab.reported().is_empty());
}

#[test]
fn a_runtime_that_shuts_down_hands_its_sessions_to_another() {
    for ending in [current_thread as fn() -> Runtime, multi_thread] {
        let server_runtime = multi_thread();
        let server = server_runtime.block_on(Server::builder().session_limit(10).start()).unwrap();
        let (client, reported) = reporting(&server, None);
        let ending = ending();
        let moved = ending.block_on(client.open(&lite())).unwrap();
        let living = multi_thread();
        let other = living.block_on(client.open(&lite())).unwrap();
        drop(ending);
        assert!(reported.lock().unwrap().is_empty());
        assert_eq!([moved.state(), other.state()], [State::Started, State::Started]);
        living.block_on(moved.stop()).unwrap();
        assert_eq!(server.running_sessions(), [other.id()]);
        // Nothing is left that could take over.
        drop(living);
        assert_eq!(other.state(), State::StopFailed);
        assert_eq!(reported.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_panic_that_ends_a_runtime_reports_its_sessions() {
    for ending in [current_thread as fn() -> Runtime, multi_thread] {
        let server_runtime = multi_thread();
        let server = server_runtime.block_on(Server::start()).unwrap();
        let (client, reported) = reporting(&server, None);
        let kept = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&kept);
        let thread = std::thread::spawn(move || {
            let runtime = ending();
            runtime.block_on(async {
                *slot.lock().unwrap() = Some(client.open(&lite()).await.unwrap());
                panic!("on purpose");
            })
        });
        thread.join().unwrap_err();
        assert_eq!(reported.lock().unwrap().len(), 1);
        assert_eq!(kept.lock().unwrap().as_ref().unwrap().state(), State::StopFailed);
    }
}
