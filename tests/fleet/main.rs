//! One process of a fleet, for the tests to kill: opens sessions, keeps them alive, stops them, and reaps what others left.
//!
//! Told by the environment: `FLEET_URL` and `FLEET_KEY` of the service, `FLEET_STORE` (a folder, or an address of Redis), `FLEET_SLOTS`,
//! `FLEET_LEASE` and `FLEET_BEAT` in milliseconds, `FLEET_SESSIONS` at once, `FLEET_SEED`. At the line `finish` on its input it stops its own sessions and
//! goes on reaping until the input ends. On its output: what it reaped, and `lost ID` for a session that somebody else stopped while it lived.

use std::num::NonZero;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use liveavatar_api::session::{Configuration, EndReason, Lite, State};
use liveavatar_api::store::{FileStore, RedisStore, Store};
use liveavatar_api::{Client, Clock, Credential, RequestOptions};

type Failure = Box<dyn std::error::Error>;

/// The shortest that a client takes.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// A session is kept alive for so many beats at most.
const MOST_BEATS: u64 = 12;

struct Fleet {
    client: Client,
    configuration: Configuration<Lite>,
    beat: Duration,
    finishing: AtomicBool,
    /// Linear congruential; how long sessions live needs no better one.
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
        // The mock frees a slot at once, so that the pause need not be the service's.
        let builder = RedisStore::builder(address).slots(slots).lease(lease);
        Arc::new(builder.slot_free_after(Duration::from_millis(50)).build()?)
    } else {
        Arc::new(FileStore::open(address)?)
    };
    let beat = Duration::from_millis(number("BEAT")?);
    let times = u32::try_from(KEEP_ALIVE.as_millis() / beat.as_millis())?;
    let client = Client::builder()
        .base_url(setting("URL")?)
        .credential(Credential::api_key(setting("KEY")?)?)
        .session_store(store)
        .clock(Fast { since: Instant::now(), read_at: SystemTime::now(), times })
        .options(RequestOptions::new().max_attempts(2))
        .build()?;
    let fleet = Arc::new(Fleet {
        client,
        configuration: Configuration::<Lite>::build(|lite| {
            lite.avatar_id(liveavatar_api::Uuid::from_u128(7))
        })?,
        beat,
        finishing: AtomicBool::new(false),
        random: Mutex::new(number("SEED")?),
    });
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let told = Arc::clone(&fleet);
    // Reading a terminal or a pipe blocks.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if line == "finish" {
                told.finishing.store(true, Ordering::Relaxed);
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
    // The sender is only ever dropped.
    let _ = end.await;
    reaping.abort();
    println!("finished");
    Ok(())
}

impl Fleet {
    /// A number below another one.
    fn below(&self, most: u64) -> u64 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % most
    }

    async fn pause(&self) {
        tokio::time::sleep(self.beat).await;
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

    /// One session from its token to its slot's return.
    async fn session(&self) {
        let opened = self.client.open(&self.configuration).keep_alive_interval(KEEP_ALIVE).await;
        let Ok(session) = opened else { return self.pause().await };
        for _ in 0..=self.below(MOST_BEATS) {
            self.pause().await;
            if self.finishing.load(Ordering::Relaxed) {
                break;
            }
        }
        // What could not be stopped is tried again: nothing of it may be left.
        while session.stop().await.is_err() {
            self.pause().await;
        }
        if let State::Ended(EndReason::Service(_)) = session.state() {
            println!("lost {}", session.id());
        }
    }
}

/// A clock on which a keep-alive comes every beat.
#[derive(Debug)]
struct Fast {
    since: Instant,
    read_at: SystemTime,
    times: u32,
}

impl Clock for Fast {
    fn now(&self) -> SystemTime {
        self.read_at + self.since.elapsed() * self.times
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time / self.times))
    }
}
