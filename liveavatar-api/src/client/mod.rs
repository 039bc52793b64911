//! The client, and building one.

mod browser_sessions;
mod training;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use progenitor_client::ClientInfo as _;
use reqwest::Url;
use uuid::Uuid;

use crate::calls::{CreateImageAvatar, DynamicCall};
use crate::credential::Credential;
use crate::error::Error;
use crate::http::{
    Clock, Observer, Pools, RequestOptions, Retries, Shared, SystemClock, Transport, is_loopback,
};
use crate::operation::OPERATIONS;
use crate::raw;
use crate::secret::Secret;
use crate::store::{Account, Store};
use crate::supervisor::{Calls, Hook, State, StopFailed, Supervisor};
use browser_sessions::BrowserSessions;

/// The service's base URL.
pub const BASE_URL: &str = "https://api.liveavatar.com";

/// Environment variable of the API key.
pub const API_KEY_ENV: &str = "LIVEAVATAR_API_KEY";

/// Environment variable of a base URL that replaces [`BASE_URL`].
pub const BASE_URL_ENV: &str = "LIVEAVATAR_BASE_URL";

/// Time limit to connect, which usually takes 0.6 s (field reports).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the service.
///
/// Each operation is a method that returns a [call](crate::calls). Clones are cheap and share one connection pool.
///
/// ```no_run
/// # async fn list() -> Result<(), liveavatar_api::Error> {
/// use liveavatar_api::Client;
///
/// let client = Client::from_env()?;
/// for avatar in client.list_public_avatars().send().await?.results {
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
    browser_sessions: Arc<BrowserSessions>,
}

impl Client {
    /// Makes a client with an API key.
    ///
    /// # Errors
    /// If the key is empty or not a valid header value.
    pub fn new(api_key: impl Into<Secret>) -> Result<Self, Error> {
        Self::builder().credential(Credential::api_key(api_key)?).build()
    }

    /// Makes a client from the environment: [`API_KEY_ENV`] and, if set, [`BASE_URL_ENV`].
    ///
    /// # Errors
    /// If the key is not set, or either value is invalid.
    pub fn from_env() -> Result<Self, Error> {
        let key = std::env::var(API_KEY_ENV).map_err(|_| {
            Error::invalid_request(format!(
                "{API_KEY_ENV} is not set: create an API key in the service's settings"
            ))
        })?;
        let mut builder = Self::builder().credential(Credential::named_api_key(API_KEY_ENV, key)?);
        if let Ok(base) = std::env::var(BASE_URL_ENV) {
            builder = builder.base_url(base);
        }
        builder.build()
    }

    /// Returns a builder of a client.
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

    /// Returns this client with another credential, on the same connection pool.
    #[must_use]
    pub fn with_credential(&self, credential: Credential) -> Self {
        self.with(self.0.calls.raw.with_credential(credential))
    }

    /// Returns this client with other retries and time limits, on the same connection pool.
    ///
    /// ```no_run
    /// # async fn once(client: liveavatar_api::Client) -> Result<(), liveavatar_api::Error> {
    /// use liveavatar_api::RequestOptions;
    /// let voices = client.with_options(RequestOptions::new().max_attempts(1)).list_voices().send().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_options(&self, options: RequestOptions) -> Self {
        self.with(self.0.calls.raw.with_options(options))
    }

    fn with(&self, raw: raw::Client) -> Self {
        Self::of(raw, Arc::clone(&self.0.supervisor), Arc::clone(&self.0.browser_sessions))
    }

    fn of(raw: raw::Client, supervisor: Arc<Supervisor>, browser_sessions: Arc<BrowserSessions>) -> Self {
        Self(Arc::new(Inner { calls: Arc::new(Calls::new(raw)), supervisor, browser_sessions }))
    }

    /// Returns the generated client, for calls in the generator's own style.
    #[must_use]
    pub fn raw(&self) -> &raw::Client {
        self.caller()
    }

    /// Returns a call of the operation with this name, for arguments that the generated types do not allow.
    ///
    /// The credential, the address and the body are checked; [`unchecked`](DynamicCall::unchecked) turns off the check of the body.
    /// Retries and time limits are those of generated calls.
    ///
    /// ```no_run
    /// # async fn call(client: liveavatar_api::Client) -> Result<(), liveavatar_api::Error> {
    /// let response = client.operation("list_voices")?.query("page_size", "5").send().await?;
    /// println!("{} with {} bytes", response.status, response.body.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the document does not list the operation.
    pub fn operation(&self, id: &str) -> Result<DynamicCall, Error> {
        DynamicCall::new(self.caller(), id)
    }

    /// Trains an avatar from one picture.
    ///
    /// The picture must be a JPEG or PNG of exactly 16:9 or 9:16, at least 1080 px on its short side, and show one clearly framed
    /// person (source: the service's documentation). Format, shape and size are checked before the upload. The avatar is ready when its status is `ACTIVE`; if training fails,
    /// `error_message` has the reason.
    pub fn create_image_avatar(&self) -> CreateImageAvatar {
        CreateImageAvatar::new(self.caller())
    }

    /// Returns the supervised sessions of this client and its clones that run or may run, with their state.
    ///
    /// This includes sessions that are being started or stopped, and those that could not be confirmed stopped.
    #[must_use]
    pub fn sessions(&self) -> BTreeMap<Uuid, State> {
        self.0.supervisor.sessions()
    }

    /// Stops all supervised sessions of this client and its clones; returns those that may still run.
    ///
    /// Call it on Ctrl-C and at the end of a program. Afterwards, this client does not open sessions. Sessions that could not be
    /// confirmed stopped are stopped again. Takes up to [`STOP_LIMIT`](crate::session::STOP_LIMIT) after the last start in
    /// progress.
    ///
    /// # Cancel safety
    /// Cancel safe: if dropped, the stops continue in the background. Call it again to wait.
    #[must_use = "the sessions in it may still run"]
    pub async fn shutdown(&self) -> Vec<StopFailed> {
        self.0.supervisor.shutdown().await
    }

    /// Returns the account whose sessions a [store](crate::store) records for this client.
    ///
    /// `None` without an API key. Such a client cannot open sessions, and its reaper reports an error instead of using a store.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        self.calls().account().ok()
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

    /// The sessions of this client and its clones that browsers may run.
    pub(crate) fn browser_sessions(&self) -> &BrowserSessions {
        &self.0.browser_sessions
    }

    pub(crate) fn calls(&self) -> &Arc<Calls> {
        &self.0.calls
    }

    pub(crate) fn caller(&self) -> &Arc<raw::Client> {
        &self.calls().raw
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.raw().inner().shared.clock
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

/// Shows nothing: the base URL may contain a password until `build` rejects it.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Sets the base URL, without the version; plain `http` is accepted on loopback only.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// Accepts plain `http` to other machines, where others on the network can read the credential.
    pub fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Sets the credential; without one, only public operations can be called.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Sets retries and time limits; see also [`Client::with_options`].
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets a configured HTTP client: proxies, certificates, pool sizes.
    ///
    /// The builder turns off redirects and verbose connections, which would leak credentials.
    ///
    /// All runtimes then share its connections, and a call can wait for a connection of a current-thread runtime that is idle.
    pub fn http(mut self, http: reqwest::ClientBuilder) -> Self {
        self.http = Some(http);
        self
    }

    /// Sets another clock, for tests that do not wait.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Seeds the jitter of pauses, for reproducible tests.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets callbacks for every request.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Sets where running sessions are remembered, so that they can be stopped after a crash.
    ///
    /// The default is nowhere.
    pub fn session_store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Sets a callback for every supervised session that could not be confirmed stopped and may still run.
    ///
    /// It can be called from any thread, also while a panic unwinds or a runtime shuts down: it must not block or wait for a lock.
    /// With the feature `tracing`, an event reports the same.
    pub fn on_stop_failed(mut self, callback: impl Fn(&StopFailed) + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(callback));
        self
    }

    /// Builds the client without sending anything.
    ///
    /// # Errors
    /// If the base URL is invalid or TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let Base { url, plain, local } = base(&self.base_url, self.plain_http)?;
        let with_rules = move |http: reqwest::ClientBuilder| {
            // By default, reqwest forwards `X-API-KEY` to the host of a redirect; a verbose connection logs it.
            let http = http.redirect(reqwest::redirect::Policy::none()).connection_verbose(false);
            http.https_only(!plain).build()
        };
        let default = move || {
            let own = concat!("liveavatar-api/", env!("CARGO_PKG_VERSION"));
            let http = reqwest::Client::builder().user_agent(own).connect_timeout(CONNECT_TIMEOUT);
            // A proxy from the environment cannot reach a service on this machine.
            with_rules(if local { http.no_proxy() } else { http })
        };
        let (http, pools) = match self.http {
            Some(http) => (with_rules(http)?, Pools::new(None)),
            None => (default()?, Pools::new(Some(Box::new(default)))),
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let supervisor = Supervisor::new(Arc::clone(&clock), self.store, self.hook, self.seed);
        let base_url = url.as_str().trim_end_matches('/').to_owned();
        let retries = Retries::new(self.seed);
        let shared = Shared { base_url: url, clock, pools, retries, observer: self.observer };
        let transport =
            Transport { credential: self.credential, options: self.options, shared: Arc::new(shared) };
        let raw = raw::Client::new_with_client(&base_url, http, transport);
        Ok(Client::of(raw, Arc::new(supervisor), Arc::default()))
    }
}

/// A valid base URL.
struct Base {
    url: Url,
    plain: bool,
    local: bool,
}

fn base(text: &str, plain_http: bool) -> Result<Base, Error> {
    let invalid = |reason: &str| Error::invalid_request(format!("the base URL {reason}"));
    let text = text.trim();
    if text.is_empty() {
        return Err(invalid("is empty"));
    }
    if !text.contains("://") {
        let host = Url::parse(&format!("http://{text}"));
        let is_local = host.is_ok_and(|url| url.host_str().is_some_and(is_loopback));
        return Err(invalid(if is_local {
            "lacks a scheme: add http:// in front"
        } else {
            "lacks a scheme: add https:// in front"
        }));
    }
    let url = Url::parse(text).map_err(|error| invalid("is not a valid URL").caused_by(error))?;
    let local = is_loopback(url.host_str().ok_or_else(|| invalid("lacks a host"))?);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("contains a user or password; set the credential instead"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("has a query or a fragment"));
    }
    let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let mut versions = OPERATIONS.iter().filter_map(|operation| operation.path.split('/').nth(1));
    if let Some(version) = versions.find(|version| *version == last) {
        return Err(invalid(&format!("ends with /{version}, which every call adds itself: remove it")));
    }
    match url.scheme() {
        "https" => {}
        "http" if local || plain_http => {}
        "http" => {
            return Err(invalid("is plain http, where others could read the credential: use https"));
        }
        _ => return Err(invalid("is neither https nor http")),
    }
    Ok(Base { plain: url.scheme() == "http", local, url })
}
