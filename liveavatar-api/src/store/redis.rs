//! A store in Redis, for machines that share one account's slots.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{RedisError, Script, Value};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{BoxFuture, CLAIM, SLOT_FREE_AFTER, Store, StoreError, millis};
use crate::http::{Clock, SystemClock};
use crate::secret::Secret;

/// Every operation, in the server, so that no two of them mix.
const OPERATIONS: &str = include_str!("redis.lua");

/// Three beats of [`KEEP_ALIVE_INTERVAL`](crate::session::KEEP_ALIVE_INTERVAL), of which half have to be missed before anybody doubts.
const LEASE: Duration = Duration::from_secs(180);

/// A shorter lease could not be renewed in time on a bad day.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// A Redis that takes longer to answer is away: a beat must not be late for it.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Pause before a second try to connect; a restart takes about as long.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

const KEYS: [&str; 5] = ["leases", "claims", "cooling", "ends", "state"];

/// Running sessions and free slots of one account in Redis, for processes on several machines.
///
/// A slot is taken before the start and is free again a pause after the stop. Every slot is a lease that its owner renews with each
/// keep-alive; who has not renewed for a whole lease is gone, and exactly one reaper claims the session. All times are of the Redis server's
/// clock.
///
/// Redis may stop, restart, and lose its data. Sessions live on, [`renew`](Store::renew) notes them again, and for half a lease after
/// any silence or restart nobody is taken for gone, so that every owner can speak up first. What that cannot cover: an owner that
/// lives and alone cannot reach Redis for a whole lease is taken for gone, and its sessions are stopped. Choose the
/// lease longer than such an outage, and more than twice the keep-alive's interval.
///
/// It needs Redis 5 or newer with Lua, one primary; all keys of an account carry one hash tag. All machines use the same account name,
/// lease and number of slots. The connection is made with the first call, on that call's tokio runtime, and made again when it
/// breaks. `rediss://` needs the feature `rustls`, and one crypto provider of rustls in the program.
///
/// ```no_run
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// use std::num::NonZero;
/// use liveavatar_api::store::RedisStore;
///
/// let store = RedisStore::builder(std::env::var("REDIS_URL")?)
///     .account("production")
///     .slots(NonZero::new(20).expect("not zero"))
///     .build()?;
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
pub struct RedisStore {
    client: redis::Client,
    connection: OnceCell<ConnectionManager>,
    operations: Script,
    keys: [String; KEYS.len()],
    slots: u32,
    lease: Duration,
    pause: Duration,
    clock: Arc<dyn Clock>,
    /// The sessions that were taken here and not given back, with the time at which they end at the latest.
    own: Mutex<BTreeMap<Uuid, SystemTime>>,
}

impl RedisStore {
    /// A store at an address such as `redis://:password@host:6379/0`, `rediss://host` or `redis+unix:///path`.
    pub fn builder(address: impl Into<Secret>) -> RedisStoreBuilder {
        RedisStoreBuilder {
            address: address.into(),
            prefix: "liveavatar".to_owned(),
            account: "default".to_owned(),
            slots: 0,
            lease: LEASE,
            pause: SLOT_FREE_AFTER,
            clock: None,
        }
    }

    fn own(&self) -> MutexGuard<'_, BTreeMap<Uuid, SystemTime>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a session can still run, which means the same on every machine's clock.
    fn left(&self, until: SystemTime) -> u64 {
        millis(until.duration_since(self.clock.now()).unwrap_or_default())
    }

    async fn run(&self, operation: &str, arguments: &[String]) -> Result<Value, StoreError> {
        let mut call = self.operations.prepare_invoke();
        for key in &self.keys {
            call.key(key);
        }
        call.arg(operation).arg(millis(self.lease));
        for argument in arguments {
            call.arg(argument);
        }
        let connection = self.connection.get_or_try_init(|| async {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(1)
                .set_min_delay(RECONNECT_PAUSE)
                .set_max_delay(RECONNECT_PAUSE)
                .set_connection_timeout(Some(ANSWER_LIMIT))
                .set_response_timeout(Some(ANSWER_LIMIT));
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        });
        let mut connection = connection.await.map_err(StoreError::unavailable)?.clone();
        let first = call.invoke_async(&mut connection).await;
        let again = |error: &RedisError| error.is_unrecoverable_error() && !error.is_timeout();
        match first {
            // A connection that broke is noticed by the first call that uses it. Twice is the same as once for every operation.
            Err(error) if again(&error) => call.invoke_async(&mut connection).await,
            first => first,
        }
        .map_err(StoreError::unavailable)
    }

    async fn sessions(&self, operation: &str, arguments: &[String]) -> Result<Vec<Uuid>, StoreError> {
        match self.run(operation, arguments).await? {
            Value::Array(sessions) => sessions.iter().map(session).collect(),
            Value::Int(wait) => Err(StoreError::unavailable(format!(
                "Redis was away or is new; living owners have another {wait} ms to note their sessions again"
            ))),
            _ => Err(strange()),
        }
    }
}

impl Store for RedisStore {
    fn acquire(&self, session: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let arguments = [session.to_string(), self.left(until).to_string(), self.slots.to_string()];
            match self.run("take", &arguments).await? {
                Value::Int(0) => {
                    self.own().insert(session, until);
                    Ok(())
                }
                Value::Int(wait) => {
                    Err(StoreError::no_slot(u64::try_from(wait).ok().map(Duration::from_millis)))
                }
                _ => Err(strange()),
            }
        })
    }

    fn renew(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let until = self.own().get(&session).copied();
            match until {
                Some(until) => {
                    let arguments = [session.to_string(), self.left(until).to_string()];
                    self.run("renew", &arguments).await.map(drop)
                }
                None => Ok(()),
            }
        })
    }

    fn release(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.own().remove(&session);
            let arguments = [session.to_string(), millis(self.pause).to_string()];
            self.run("release", &arguments).await.map(drop)
        })
    }

    fn claim_abandoned(&self) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(async move { self.sessions("abandoned", &[millis(CLAIM).to_string()]).await })
    }

    fn held(&self) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        Box::pin(async move { Ok(self.sessions("held", &[]).await?.into_iter().collect()) })
    }
}

fn session(value: &Value) -> Result<Uuid, StoreError> {
    let id = match value {
        Value::BulkString(bytes) => Uuid::try_parse_ascii(bytes).ok(),
        _ => None,
    };
    id.ok_or_else(strange)
}

fn strange() -> StoreError {
    StoreError::unavailable("the keys in Redis hold something that this crate did not write")
}

/// Leaves the address out, which may carry a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("keys", &self.keys)
            .field("slots", &self.slots)
            .field("lease", &self.lease)
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}

/// Builds a [`RedisStore`].
#[derive(Debug)]
#[must_use]
pub struct RedisStoreBuilder {
    address: Secret,
    prefix: String,
    account: String,
    slots: u32,
    lease: Duration,
    pause: Duration,
    clock: Option<Arc<dyn Clock>>,
}

impl RedisStoreBuilder {
    /// The account whose sessions these are, `default` by default; the name is free and part of every key.
    pub fn account(mut self, name: impl Into<String>) -> Self {
        self.account = name.into();
        self
    }

    /// What all keys begin with, `liveavatar` by default.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many sessions of the account may run at the same time; by default slots are not counted.
    pub fn slots(mut self, slots: NonZero<u32>) -> Self {
        self.slots = slots.get();
        self
    }

    /// How long an owner may be silent before it counts as gone, 180 s by default, 1 s at least.
    ///
    /// More than twice the keep-alive's interval, or a living owner is taken for gone.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long the service still holds the slot of a stopped session, 3 s by default (field reports: 0.8 to 3 s).
    pub fn pause_after_stop(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The clock that `until` is told by, the machine's by default. Leases go by the clock of Redis.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Builds the store; nothing is sent before its first use.
    ///
    /// # Errors
    /// When the address is none of Redis, the account's name cannot be part of a key, or the lease is too short.
    pub fn build(self) -> Result<RedisStore, StoreError> {
        let refused = |why: &str| Err(StoreError::unavailable(why));
        if self.account.is_empty() || self.account.contains(['{', '}']) {
            return refused("account: empty or with a brace; give it a name of letters and digits");
        }
        if self.prefix.contains(['{', '}']) {
            return refused("prefix: braces are for the account's name; leave them out");
        }
        if self.lease < SHORTEST_LEASE {
            return refused("lease: shorter than 1 s; take more than twice the keep-alive's interval");
        }
        if cfg!(not(feature = "rustls")) && self.address.expose().starts_with("rediss:") {
            return refused("address: `rediss` needs this crate's feature `rustls`");
        }
        // What the client says of an address may repeat parts of it.
        let Ok(client) = redis::Client::open(self.address.expose()) else {
            return refused(
                "address: not one of Redis, such as `redis://host:6379/0` or `redis+unix:///path`",
            );
        };
        // The braces are a hash tag: a cluster, or a proxy before one, keeps all keys of an account in one place.
        let keys = KEYS.map(|key| format!("{}:{{{}}}:{key}", self.prefix, self.account));
        Ok(RedisStore {
            client,
            connection: OnceCell::new(),
            operations: Script::new(OPERATIONS),
            keys,
            slots: self.slots,
            lease: self.lease,
            pause: self.pause,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            own: Mutex::default(),
        })
    }
}
