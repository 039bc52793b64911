//! One process of a fleet, for the tests to kill. It opens, keeps alive and stops sessions, and reaps those of other processes.
//!
//! Environment: `FLEET_URL` and `FLEET_KEY` of the service, `FLEET_STORE` (a folder or a Redis address), `FLEET_SLOTS`,
//! `FLEET_LEASE` and `FLEET_INTERVAL` (real time between keep-alives) in milliseconds, `FLEET_SESSIONS` (concurrent sessions),
//! `FLEET_SEED`. After the input line `finish` the process stops its sessions, and reaps until its input ends. It prints the
//! sessions that it reaped, and `lost ID` for a live session that another process stopped.

use std::num::NonZero;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use liveavatar_api::session::{EndReason, LiteSession, State};
use liveavatar_api::store::{FileStore, RedisStore, Store};
use liveavatar_api::{Client, Clock, Credential, RequestOptions};

type Failure = Box<dyn std::error::Error>;

/// The minimum interval that a client accepts, on the accelerated clock.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Maximum keep-alives of a session.
const MAX_KEEP_ALIVES: u64 = 12;

struct Fleet {
    client: Client,
    configuration: LiteSession,
    /// Real time between two keep-alives.
    interval: Duration,
    finishing: AtomicBool,
    /// State of a linear congruential generator, which is good enough for session durations.
    random: Mutex<u64>,
}

fn setting(name: &str) -> Result<String, Failure> {
    std::env::var(format!("FLEET_{name}")).map_err(|_| format!("FLEET_{name} is not set").into())
}

fn number(name: &str) -> Result<u64, Failure> {
    Ok(setting(name)?.parse()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let address = setting("STORE")?;
    let store: Arc<dyn Store> = if address.starts_with("redis") {
        let slots = NonZero::new(u32::try_from(number("SLOTS")?)?).ok_or("no slots")?;
        let lease = Duration::from_millis(number("LEASE")?);
        // The mock frees a slot at once, so a short pause is enough.
        let builder = RedisStore::builder(address).slots(slots).lease(lease);
        Arc::new(builder.slot_free_after(Duration::from_millis(50)).build()?)
    } else {
        Arc::new(FileStore::open(address)?)
    };
    let interval = Duration::from_millis(number("INTERVAL")?);
    let speed = u32::try_from(KEEP_ALIVE.as_millis() / interval.as_millis())?;
    let client = Client::builder()
        .base_url(setting("URL")?)
        .credential(Credential::api_key(setting("KEY")?)?)
        .session_store(store)
        .clock(FastClock { since: Instant::now(), start: SystemTime::now(), speed })
        .options(RequestOptions::new().max_attempts(2))
        .build()?;
    let fleet = Arc::new(Fleet {
        client,
        configuration: LiteSession::builder().avatar_id(liveavatar_api::Uuid::from_u128(7)).build()?,
        interval,
        finishing: AtomicBool::new(false),
        random: Mutex::new(number("SEED")?),
    });
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let finishing = Arc::clone(&fleet);
    // A thread, because reading standard input blocks.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if line == "finish" {
                finishing.finishing.store(true, Ordering::Relaxed);
            }
        }
        drop(ended);
    });
    let reaping = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.reap().await }
    });
    let sessions: Vec<_> = (0..number("SESSIONS")?)
        .map(|_| {
            let fleet = Arc::clone(&fleet);
            tokio::spawn(async move {
                while !fleet.finishing.load(Ordering::Relaxed) {
                    fleet.session().await;
                }
            })
        })
        .collect();
    for session in sessions {
        session.await?;
    }
    // Always an error: the sender is dropped at the end of the input.
    let _ = end.await;
    reaping.abort();
    println!("finished");
    Ok(())
}

impl Fleet {
    fn random_below(&self, limit: u64) -> u64 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % limit
    }

    async fn pause(&self) {
        tokio::time::sleep(self.interval).await;
    }

    async fn reap(&self) {
        loop {
            self.pause().await;
            let reaped = self.client.reap().run().await;
            for session in reaped.sessions() {
                println!("reaped {session}");
            }
        }
    }

    /// Opens a session, waits a random time and stops it.
    async fn session(&self) {
        let opened = self.client.open(&self.configuration).keep_alive_interval(KEEP_ALIVE).await;
        let Ok(session) = opened else { return self.pause().await };
        for _ in 0..=self.random_below(MAX_KEEP_ALIVES) {
            self.pause().await;
            if self.finishing.load(Ordering::Relaxed) {
                break;
            }
        }
        // Retries, because no session may leak.
        while session.stop().await.is_err() {
            self.pause().await;
        }
        if let State::Ended(EndReason::Service(_)) = session.state() {
            println!("lost {}", session.id());
        }
    }
}

/// A clock that runs faster than real time.
#[derive(Debug)]
struct FastClock {
    since: Instant,
    start: SystemTime,
    speed: u32,
}

impl Clock for FastClock {
    fn now(&self) -> SystemTime {
        self.start + self.since.elapsed() * self.speed
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time / self.speed))
    }
}
