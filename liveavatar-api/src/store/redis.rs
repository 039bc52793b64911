//! A session store in Redis, for machines that share one account's slots.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{RedisError, Script, Value};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{Account, BoxFuture, CLAIM, SLOT_FREE_AFTER, Store, StoreError, millis};
use crate::http::{Clock, SystemClock};
use crate::secret::Secret;

/// Every operation, as one script, because Redis runs a script atomically.
const OPERATIONS: &str = include_str!("redis.lua");

/// Three keep-alive intervals by default, and more than the longest interval, 180 s. After a loss of data it is the time that living
/// owners have to record their sessions again.
const LEASE: Duration = Duration::from_secs(200);

/// A shorter lease may expire before a slow renewal arrives.
const MIN_LEASE: Duration = Duration::from_secs(1);

/// How far the clock of Redis may be set forward before a session is forgotten too early.
const CLOCK_STEP: Duration = Duration::from_secs(5 * 60);

/// Time limit for a connection and a response, so that Redis does not delay a keep-alive.
const REDIS_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause before reconnecting; a restart of Redis takes about as long.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

const KEYS: [&str; 5] = ["leases", "claims", "cooling", "ends", "state"];

/// A session store in Redis that counts an account's slots, for processes on several machines.
///
/// A slot is acquired before the start, and is free again a [pause](RedisStoreBuilder::slot_free_after) after the stop. Each slot is
/// a lease that its owner renews with every keep-alive. An owner that has not renewed for a whole lease counts as dead, and exactly
/// one reaper claims its session. Only the clock of the Redis server counts: owners send durations, so that their clocks may differ.
/// If that clock is set forward by more than half a lease, or back by more than a second, this counts as an outage. A session whose
/// owner is dead is forgotten 5 min after its latest end.
///
/// Redis may stop, restart and lose its data. Sessions continue meanwhile, and [`renew`](Store::renew) records them again. For a
/// lease after any outage or restart, no owner counts as dead, so that all can renew first: [`claim_abandoned`](Store::claim_abandoned)
/// and [`held`](Store::held) return an error. Half a lease in which no process calls Redis looks like an outage, too, so a reaper must
/// call again within half a lease after that time. The exception is a live owner that is the only one unable to reach Redis for a
/// whole lease: it counts as dead, and its sessions are stopped. Choose a lease that is longer than such an outage, and more than twice
/// the keep-alive interval.
///
/// Redis 5 or newer with Lua and a single primary is required; all keys of an [`Account`] share one hash tag. All machines must use the
/// same API key, prefix, lease and number of slots. The first call connects, on its Tokio runtime; a broken connection is replaced.
/// `rediss://` requires the feature `rustls`. If the program has not installed a default crypto provider of rustls,
/// [`build`](RedisStoreBuilder::build) installs aws-lc-rs.
///
/// ```no_run
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// use std::num::NonZero;
/// use liveavatar_api::store::RedisStore;
///
/// let store = RedisStore::builder(std::env::var("REDIS_URL")?)
///     .slots(NonZero::new(20).expect("20 is not zero"))
///     .build()?;
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
pub struct RedisStore {
    client: redis::Client,
    connection: OnceCell<ConnectionManager>,
    operations: Script,
    prefix: String,
    slots: u32,
    lease: Duration,
    slot_free_after: Duration,
    clock: Arc<dyn Clock>,
    /// The sessions that this owner acquired and did not release, with the latest time of their end.
    own: Mutex<BTreeMap<(Account, Uuid), SystemTime>>,
}

impl RedisStore {
    /// Returns a builder for a store at an address such as `redis://:password@host:6379/0`, `rediss://host` or `redis+unix:///path`.
    pub fn builder(address: impl Into<Secret>) -> RedisStoreBuilder {
        RedisStoreBuilder {
            address: address.into(),
            prefix: "liveavatar".to_owned(),
            slots: 0,
            lease: LEASE,
            slot_free_after: SLOT_FREE_AFTER,
            clock: None,
        }
    }

    fn own(&self) -> MutexGuard<'_, BTreeMap<(Account, Uuid), SystemTime>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time until a session is forgotten, which unlike a point in time does not depend on this machine's clock.
    fn millis_left(&self, until: SystemTime) -> u64 {
        millis(until.duration_since(self.clock.wall_clock()).unwrap_or_default().saturating_add(CLOCK_STEP))
    }

    async fn run(
        &self,
        account: Account,
        operation: &str,
        arguments: &[String],
    ) -> Result<Value, StoreError> {
        let mut call = self.operations.prepare_invoke();
        for key in KEYS {
            // The braces are a hash tag: a cluster, or a proxy in front of one, keeps all keys of an account on one node.
            call.key(format!("{}:{{{account}}}:{key}", self.prefix));
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
                .set_connection_timeout(Some(REDIS_TIMEOUT))
                .set_response_timeout(Some(REDIS_TIMEOUT));
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        });
        let mut connection = connection.await.map_err(StoreError::unavailable)?.clone();
        let first = call.invoke_async(&mut connection).await;
        let is_broken = |error: &RedisError| error.is_unrecoverable_error() && !error.is_timeout();
        match first {
            // Only a call shows that the connection is broken. Retrying is safe, because every operation is idempotent.
            Err(error) if is_broken(&error) => call.invoke_async(&mut connection).await,
            first => first,
        }
        .map_err(StoreError::unavailable)
    }

    async fn sessions(
        &self,
        account: Account,
        operation: &str,
        arguments: &[String],
    ) -> Result<Vec<Uuid>, StoreError> {
        match self.run(account, operation, arguments).await? {
            Value::Array(sessions) => sessions.iter().map(session).collect(),
            Value::Int(wait) => Err(StoreError::unavailable(format!(
                "Redis was restarted or unreachable; living owners have {wait} ms left to record their sessions again"
            ))),
            _ => Err(foreign_data()),
        }
    }

    async fn take_slot(
        &self,
        operation: &str,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> Result<(), StoreError> {
        let arguments = [session.to_string(), self.millis_left(until).to_string(), self.slots.to_string()];
        match self.run(account, operation, &arguments).await? {
            Value::Int(0) => Ok(()),
            Value::Int(wait) => Err(StoreError::no_slot(u64::try_from(wait).ok().map(Duration::from_millis))),
            _ => Err(foreign_data()),
        }
    }
}

impl Store for RedisStore {
    fn acquire(
        &self,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.take_slot("acquire", account, session, until).await?;
            self.own().insert((account, session), until);
            Ok(())
        })
    }

    fn hold(
        &self,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.take_slot("hold", account, session, until))
    }

    fn renew(&self, account: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let until = self.own().get(&(account, session)).copied();
            match until {
                Some(until) => {
                    let arguments = [session.to_string(), self.millis_left(until).to_string()];
                    self.run(account, "renew", &arguments).await.map(drop)
                }
                None => Ok(()),
            }
        })
    }

    fn release(&self, account: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.own().remove(&(account, session));
            let arguments = [session.to_string(), millis(self.slot_free_after).to_string()];
            self.run(account, "release", &arguments).await.map(drop)
        })
    }

    fn claim_abandoned(&self, account: Account) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(async move { self.sessions(account, "claim_abandoned", &[millis(CLAIM).to_string()]).await })
    }

    fn held(&self, account: Account) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        Box::pin(async move { Ok(self.sessions(account, "held", &[]).await?.into_iter().collect()) })
    }
}

fn session(value: &Value) -> Result<Uuid, StoreError> {
    let id = match value {
        Value::BulkString(bytes) => Uuid::try_parse_ascii(bytes).ok(),
        _ => None,
    };
    id.ok_or_else(foreign_data)
}

fn foreign_data() -> StoreError {
    StoreError::unavailable("the keys in Redis hold data that this crate did not write")
}

/// Omits the address, which may contain a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .field("slots", &self.slots)
            .field("lease", &self.lease)
            .field("slot_free_after", &self.slot_free_after)
            .finish_non_exhaustive()
    }
}

/// Builds a [`RedisStore`].
#[derive(Debug)]
#[must_use]
pub struct RedisStoreBuilder {
    address: Secret,
    prefix: String,
    slots: u32,
    lease: Duration,
    slot_free_after: Duration,
    clock: Option<Arc<dyn Clock>>,
}

impl RedisStoreBuilder {
    /// Sets the prefix of all keys in Redis. Default: `liveavatar`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the account's number of concurrent sessions. By default, slots are not counted.
    pub fn slots(mut self, slots: NonZero<u32>) -> Self {
        self.slots = slots.get();
        self
    }

    /// Sets the time without a renewal after which an owner counts as dead. Default: 200 s; minimum: 1 s.
    ///
    /// Use more than twice the keep-alive interval; otherwise a living owner may count as dead.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long the service holds the slot of a stopped session. Default: [`SLOT_FREE_AFTER`].
    pub fn slot_free_after(mut self, pause: Duration) -> Self {
        self.slot_free_after = pause;
        self
    }

    /// Replaces the system clock that `until` of [`Store::acquire`] refers to. Leases use the clock of Redis.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Builds the store; it connects on first use.
    ///
    /// # Errors
    /// If the address is not a Redis address, the prefix cannot be part of a key, or the lease is too short.
    pub fn build(self) -> Result<RedisStore, StoreError> {
        let invalid = |message: &str| Err(StoreError::unavailable(message));
        if self.prefix.contains(['{', '}']) {
            return invalid("prefix: contains a brace; remove it");
        }
        if self.lease < MIN_LEASE {
            return invalid("lease: is shorter than 1 s; use more than twice the keep-alive interval");
        }
        if cfg!(not(feature = "rustls")) && self.address.expose().starts_with("rediss:") {
            return invalid("address: `rediss` requires the feature `rustls` of this crate");
        }
        #[cfg(feature = "rustls")]
        if self.address.expose().starts_with("rediss:") {
            // The Redis client panics if there is none and the program contains two. Installing fails only if there is one.
            let _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        // The client's error is dropped, because it may contain parts of the address.
        let Ok(client) = redis::Client::open(self.address.expose()) else {
            return invalid(
                "address: is not a Redis address; use one such as `redis://host:6379/0` or `redis+unix:///path`",
            );
        };
        Ok(RedisStore {
            client,
            connection: OnceCell::new(),
            operations: Script::new(OPERATIONS),
            prefix: self.prefix,
            slots: self.slots,
            lease: self.lease,
            slot_free_after: self.slot_free_after,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            own: Mutex::default(),
        })
    }
}
