//! The client, and building one.

mod training;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use progenitor_client::ClientInfo as _;
use reqwest::Url;
use uuid::Uuid;

use crate::credential::Credential;
use crate::error::Error;
use crate::http::{Clock, Observer, RequestOptions, Retries, Shared, SystemClock, Transport, is_loopback};
use crate::raw;
use crate::secret::Secret;
use crate::store::Store;
use crate::supervisor::{Calls, Hook, State, StopFailed, Supervisor};

/// Where the service lives.
pub const BASE_URL: &str = "https://api.liveavatar.com";

/// The environment variable with the API key.
pub const API_KEY_ENV: &str = "LIVEAVATAR_API_KEY";

/// The environment variable with another base URL than [`BASE_URL`].
pub const BASE_URL_ENV: &str = "LIVEAVATAR_BASE_URL";

/// A connection stands in 0.6 s on ordinary days (field reports); after this the network is at fault.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A client of the service.
///
/// It dereferences to the generated [`raw::Client`], whose methods are the operations. Clones share one pool of
/// connections and are cheap.
///
/// ```no_run
/// # async fn list() -> Result<(), liveavatar_api::Error> {
/// use liveavatar_api::{Call as _, Client};
///
/// let client = Client::from_env()?;
/// for avatar in client.list_public_avatars().data().await?.results {
///     println!("{} {}", avatar.id, avatar.name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    calls: Arc<Calls>,
    supervisor: Arc<Supervisor>,
}

impl Client {
    /// A client of the service with an API key.
    ///
    /// # Errors
    /// When the key is empty or no header can carry it.
    pub fn new(api_key: impl Into<Secret>) -> Result<Self, Error> {
        Self::builder().credential(Credential::api_key(api_key)?).build()
    }

    /// A client as the environment says: [`API_KEY_ENV`] and, if set, [`BASE_URL_ENV`].
    ///
    /// # Errors
    /// When the key is missing or either value cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        let key = std::env::var(API_KEY_ENV).map_err(|_| {
            Error::invalid_request(format!(
                "{API_KEY_ENV} is not set; create a key in the service's settings and set it"
            ))
        })?;
        let mut builder = Self::builder().credential(Credential::api_key(key)?);
        if let Ok(base) = std::env::var(BASE_URL_ENV) {
            builder = builder.base_url(base);
        }
        builder.build()
    }

    /// A client built step by step.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            base_url: BASE_URL.to_owned(),
            plain_http: false,
            credential: None,
            options: RequestOptions::default(),
            http: None,
            clock: None,
            seed: None,
            observer: None,
            store: None,
            hook: None,
        }
    }

    /// This client with another credential, on the same connections.
    #[must_use]
    pub fn with_credential(&self, credential: Credential) -> Self {
        self.with(self.0.calls.raw.with_credential(credential))
    }

    /// This client with other limits and repetitions, on the same connections; for one call or for many.
    ///
    /// ```no_run
    /// # async fn once(client: liveavatar_api::Client) -> Result<(), liveavatar_api::Error> {
    /// use liveavatar_api::{Call as _, RequestOptions};
    /// let voices = client.with_options(RequestOptions::new().max_attempts(1)).list_voices().data().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_options(&self, options: RequestOptions) -> Self {
        self.with(self.0.calls.raw.with_options(options))
    }

    fn with(&self, raw: raw::Client) -> Self {
        Self::of(raw, Arc::clone(&self.0.supervisor))
    }

    fn of(raw: raw::Client, supervisor: Arc<Supervisor>) -> Self {
        Self(Arc::new(Inner { calls: Arc::new(Calls::new(raw)), supervisor }))
    }

    /// The supervised sessions of this client and its clones that run or may run, with where they stand.
    ///
    /// Besides those with a handle: what is being started or stopped, and what could not be stopped.
    #[must_use]
    pub fn sessions(&self) -> BTreeMap<Uuid, State> {
        self.0.supervisor.sessions()
    }

    /// Stops all supervised sessions of this client and its clones, and waits; returns those that may still run.
    ///
    /// For Ctrl-C and the end of a program. No session is opened from here on; sessions that could not be stopped before are
    /// tried again. It takes up to [`STOP_LIMIT`](crate::session::STOP_LIMIT) and the start that is under way.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, the stops go on in the background. Call it again to wait.
    #[must_use = "the sessions in it may still run"]
    pub async fn shutdown(&self) -> Vec<StopFailed> {
        self.0.supervisor.shutdown().await
    }

    pub(crate) fn session_store(&self) -> Option<&Arc<dyn Store>> {
        self.0.supervisor.store()
    }

    pub(crate) fn supervisor(&self) -> &Arc<Supervisor> {
        &self.0.supervisor
    }

    #[cfg(feature = "axum")]
    pub(crate) fn is_shut_down(&self) -> bool {
        self.supervisor().check_open().is_err()
    }

    pub(crate) fn calls(&self) -> &Arc<Calls> {
        &self.0.calls
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner().shared.clock
    }
}

impl Deref for Client {
    type Target = raw::Client;

    fn deref(&self) -> &raw::Client {
        &self.0.calls.raw
    }
}

/// Builds a [`Client`].
#[must_use]
pub struct ClientBuilder {
    base_url: String,
    plain_http: bool,
    credential: Option<Credential>,
    options: RequestOptions,
    http: Option<reqwest::ClientBuilder>,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    observer: Option<Arc<dyn Observer>>,
    store: Option<Arc<dyn Store>>,
    hook: Option<Hook>,
}

/// Shows nothing: the address may still carry a password, which `build` refuses.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Another address than [`BASE_URL`]; plain `http` is accepted on this machine only.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// Accepts plain `http` to other machines too, over which anybody on the way can read the credential.
    pub fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// What calls are signed with; without one only public operations can be called.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// How often and how long calls may try; [`Client::with_options`] changes it later.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = options;
        self
    }

    /// One's own HTTP client, as far as it is configured: proxies, certificates, pool sizes.
    ///
    /// It is taken unbuilt, because credentials are safe only if it follows no redirect and logs no bytes, which is set
    /// here.
    pub fn http(mut self, http: reqwest::ClientBuilder) -> Self {
        self.http = Some(http);
        self
    }

    /// Another clock, for tests that do not wait.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Makes the random part of pauses repeatable, for tests.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Told of every request.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Where running sessions are remembered outside this process, so that a crash leaves none unknown.
    ///
    /// Without one, nothing is.
    pub fn session_store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Told of every supervised session that may still run, although everything was done to stop it.
    ///
    /// It is called from wherever that became certain, also while a panic unwinds or a runtime shuts down: it must not block, and
    /// should not wait for a lock of its own. Without it, an event of the `tracing` feature says the same.
    pub fn on_stop_failed(mut self, callback: impl Fn(&StopFailed) + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(callback));
        self
    }

    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// When the base URL cannot be used, or TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let Base { url, plain, local } = base(&self.base_url, self.plain_http)?;
        let http = self.http.unwrap_or_else(|| {
            let own = concat!("liveavatar-api/", env!("CARGO_PKG_VERSION"));
            let http = reqwest::Client::builder().user_agent(own).connect_timeout(CONNECT_LIMIT);
            // A proxy that the environment names cannot reach a service on this machine.
            if local { http.no_proxy() } else { http }
        });
        // The default policy forwards `X-API-KEY` to whatever host an answer names; a verbose connection logs it.
        let http = http.redirect(reqwest::redirect::Policy::none()).connection_verbose(false);
        let http = http.https_only(!plain).build()?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let supervisor = Supervisor::new(Arc::clone(&clock), self.store, self.hook, self.seed);
        let shared = Shared { clock, retries: Retries::new(self.seed), observer: self.observer };
        let transport =
            Transport { credential: self.credential, options: self.options, shared: Arc::new(shared) };
        let raw = raw::Client::new_with_client(&url, http, transport);
        Ok(Client::of(raw, Arc::new(supervisor)))
    }
}

/// A base URL that was found fit.
struct Base {
    /// Without a slash at its end.
    url: String,
    /// Whether it is `http`.
    plain: bool,
    /// Whether it is on this machine.
    local: bool,
}

fn base(text: &str, plain_http: bool) -> Result<Base, Error> {
    let refuse = |why: &str| Error::invalid_request(format!("the base URL {why}"));
    let url = Url::parse(text.trim()).map_err(|error| refuse("is not an address").caused_by(error))?;
    let local = is_loopback(url.host_str().ok_or_else(|| refuse("names no host"))?);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("carries a user or a password; credentials are given separately"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("has a query or a fragment"));
    }
    match url.scheme() {
        "https" => {}
        "http" if local || plain_http => {}
        "http" => {
            return Err(refuse("is plain http, over which anyone could read the credential: use https"));
        }
        _ => return Err(refuse("is neither https nor http")),
    }
    Ok(Base { plain: url.scheme() == "http", local, url: url.as_str().trim_end_matches('/').to_owned() })
}
