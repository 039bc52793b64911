//! The builder of the endpoint.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;

use super::choice::{Choice, Choices};
use super::hooks::{Ended, Granted, OnEnded, OnGranted};
use super::response::Rejection;
use crate::client::Client;
use crate::session::AnyConfiguration;
use crate::store::BoxFuture;

/// The default maximum of a session's duration.
///
/// This crate's choice: a closed browser tab must not cost credits for long.
pub const MAX_SESSION_DURATION: Duration = Duration::from_secs(600);

/// The default limit of a request body, in bytes.
pub const BODY_LIMIT: usize = 16 * 1024;

/// What happens when a user who has a session requests another one.
///
/// A session that the server starts counts until it is stopped or over. If the browser has the token, the session counts until the
/// service reports its end, or until its maximum duration has passed since the token was minted.
///
/// After that, and after a `DELETE`, the browser may still start a session with the old token. At the user's next request the
/// endpoint asks the service about such sessions, and a running one counts again. Until then a user can run several sessions with
/// tokens that were fetched one after another. To prevent this, [start the sessions](TokenEndpoint::start_sessions) on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecondSession {
    /// Rejects the request with 409. A `DELETE` stops the first session.
    #[default]
    Reject,
    /// Stops the first session, then opens the new one.
    ///
    /// Concurrent requests of one user are served one after another.
    Replace,
}

/// Builds a [router](Self::router) or [service](Self::service) that opens sessions for browsers.
///
/// ```no_run
/// # fn endpoint(client: liveavatar_api::Client) -> Result<axum::Router, Box<dyn std::error::Error>> {
/// use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
/// use liveavatar_api::session::AnyConfiguration;
///
/// let configuration = AnyConfiguration::from_json(&std::fs::read_to_string("session.json")?)?;
/// let endpoint = TokenEndpoint::new(client, configuration, async |request| {
///     // Your own login. The returned value identifies the user.
///     let user = request.headers.get("x-user").and_then(|user| user.to_str().ok());
///     user.map(str::to_owned).ok_or(Rejection::Unauthenticated)
/// });
/// let router = endpoint
///     .allow("avatar_persona.language", Choice::one_of(["en", "de"]))
///     .allow("max_session_duration", Choice::up_to(300))
///     .router()?;
/// let app = axum::Router::new().nest("/session", router);
/// # Ok(app)
/// # }
/// ```
#[must_use = "an endpoint does nothing until `router` or `service` is called"]
pub struct TokenEndpoint<U> {
    pub(super) client: Client,
    pub(super) configuration: ConfigurationSource<U>,
    pub(super) authorize: Callback<Parts, U>,
    pub(super) choices: Choices<U>,
    pub(super) on_granted: Option<OnGranted<U>>,
    pub(super) on_ended: Option<OnEnded<U>>,
    pub(super) second_session: SecondSession,
    pub(super) start_sessions: bool,
    pub(super) max_session_duration: Duration,
    pub(super) body_limit: usize,
}

/// An async function of the user that may reject the request.
pub(super) type Callback<Q, A> = Box<dyn Fn(Q) -> BoxFuture<'static, Result<A, Rejection>> + Send + Sync>;

/// The configuration before the browser's choices.
pub(super) enum ConfigurationSource<U> {
    Fixed(Box<AnyConfiguration>),
    PerUser(Callback<U, AnyConfiguration>),
}

fn boxed<Q, A, F>(callback: impl Fn(Q) -> F + Send + Sync + 'static) -> Callback<Q, A>
where
    F: Future<Output = Result<A, Rejection>> + Send + 'static,
{
    Box::new(move |argument| Box::pin(callback(argument)))
}

impl<U> TokenEndpoint<U> {
    /// Creates an endpoint with one configuration for all sessions.
    ///
    /// `authorize` gets the head of every request and returns the user or a rejection. Each user has one session at a time. Check
    /// other limits there too, with [`Rejection::TooMany`], but count in [`on_granted`](Self::on_granted): an authorized request may
    /// still fail, and a `DELETE` is authorized as well.
    pub fn new<F>(
        client: Client,
        configuration: impl Into<AnyConfiguration>,
        authorize: impl Fn(Parts) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<U, Rejection>> + Send + 'static,
    {
        let configuration = ConfigurationSource::Fixed(Box::new(configuration.into()));
        Self::from_parts(client, configuration, boxed(authorize))
    }

    /// Creates an endpoint that makes a configuration for each request from the authorized user.
    pub fn per_user<F, C>(
        client: Client,
        configure: impl Fn(U) -> C + Send + Sync + 'static,
        authorize: impl Fn(Parts) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<U, Rejection>> + Send + 'static,
        C: Future<Output = Result<AnyConfiguration, Rejection>> + Send + 'static,
    {
        Self::from_parts(client, ConfigurationSource::PerUser(boxed(configure)), boxed(authorize))
    }

    fn from_parts(client: Client, source: ConfigurationSource<U>, authorize: Callback<Parts, U>) -> Self {
        Self {
            client,
            configuration: source,
            authorize,
            choices: Choices::new(),
            on_granted: None,
            on_ended: None,
            second_session: SecondSession::default(),
            start_sessions: false,
            max_session_duration: MAX_SESSION_DURATION,
            body_limit: BODY_LIMIT,
        }
    }

    /// Lets browsers choose a field, named by its path in the configuration such as `avatar_persona.language`.
    ///
    /// All other fields are rejected. If the field is an object, it is chosen as a whole. A chosen value replaces the configured one,
    /// except that a browser can only shorten the configured `max_session_duration`. If a field is allowed twice, the last call
    /// applies.
    pub fn allow(self, path: &str, choice: Choice) -> Self {
        self.allow_per_user(path, move |_| choice.clone())
    }

    /// Lets browsers choose a field, as [`allow`](Self::allow) does, from values that depend on the user.
    ///
    /// ```no_run
    /// # use liveavatar_api::endpoint::{Choice, TokenEndpoint};
    /// # #[derive(Clone, PartialEq, Eq, Hash)] struct User { pays: bool }
    /// # fn allow(endpoint: TokenEndpoint<User>) -> TokenEndpoint<User> {
    /// endpoint.allow_per_user("max_session_duration", |user| Choice::up_to(if user.pays { 600 } else { 30 }))
    /// # }
    /// ```
    pub fn allow_per_user(
        mut self,
        path: &str,
        choice: impl Fn(&U) -> Choice + Send + Sync + 'static,
    ) -> Self {
        self.choices.allow(path, choice);
        self
    }

    /// Sets a function to call when a user gets a session, just before the response is sent.
    ///
    /// Count quotas here: it is called once per session, and not for requests that fail. It must not block; to store the grant,
    /// send it to a task. Whether the browser receives the response is unknown.
    pub fn on_granted(mut self, hook: impl Fn(Granted<'_, U>) + Send + Sync + 'static) -> Self {
        self.on_granted = Some(Box::new(hook));
        self
    }

    /// Sets a function to call once for each granted session when its end is known.
    ///
    /// With [`start_sessions`](Self::start_sessions), that is as soon as this process knows it, also during a shutdown. If the
    /// browser has the token, it is the first of these: the session is stopped here, the service reports its end at the user's next
    /// request, or its maximum duration has passed since the token was minted. A browser may still start it after that (see
    /// [`SecondSession`]), and if this process stops first, its end is not reported. The function must not block.
    pub fn on_ended(mut self, hook: impl Fn(Ended<'_, U>) + Send + Sync + 'static) -> Self {
        self.on_ended = Some(Arc::new(hook));
        self
    }

    /// Sets what happens when a user requests a second session; by default [`SecondSession::Reject`].
    pub fn second_session(mut self, second_session: SecondSession) -> Self {
        self.second_session = second_session;
        self
    }

    /// Starts sessions on the server, so that the browser gets only the LiveKit URL and token.
    ///
    /// The server keeps a session alive, even if the browser is gone, until it ends, the same user sends a `DELETE`,
    /// [`Client::shutdown`] is called, or the router is dropped. Let the page send the `DELETE` with `keepalive` when it is left.
    pub fn start_sessions(mut self) -> Self {
        self.start_sessions = true;
        self
    }

    /// Sets the maximum duration of all sessions; by default [`MAX_SESSION_DURATION`].
    ///
    /// The shortest of this, the configuration's `max_session_duration` and the browser's choice applies; a longer choice is rejected.
    /// It is also the duration of a configuration without `max_session_duration`, but at most 60 s in the sandbox. With
    /// [`Duration::MAX`], only the plan's limit applies.
    pub fn max_session_duration(mut self, max: Duration) -> Self {
        self.max_session_duration = max;
        self
    }

    /// Sets the limit of a request body, in bytes; by default [`BODY_LIMIT`].
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }
}

/// Leaves out the configuration, which may hold tokens and prompts.
impl<U> fmt::Debug for TokenEndpoint<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("second_session", &self.second_session)
            .field("start_sessions", &self.start_sessions)
            .field("max_session_duration", &self.max_session_duration)
            .field("body_limit", &self.body_limit)
            .finish_non_exhaustive()
    }
}
