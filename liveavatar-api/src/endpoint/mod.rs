//! A token endpoint for web servers: browsers get sessions, and neither the API key nor choices that cost money.
//!
//! [`TokenEndpoint`] makes an [`axum::Router`] with two routes, at `/`: nest it where it belongs, behind whatever else the
//! server has (CORS, request limits by address, logs).
//!
//! | Request | Answer |
//! | --- | --- |
//! | `POST`, a JSON object of choices, `{}` for none | 200 `{"session_id", "session_token"}`; where the server [starts](TokenEndpoint::starting) sessions, `{"session_id", "livekit_url", "livekit_client_token", "max_session_duration"}` |
//! | `DELETE` | 204: the user's session is stopped, or there was none |
//!
//! Choices have the shape of the configuration: `{"avatar_persona": {"language": "de"}, "max_session_duration": 120}`. A
//! `POST` must say `content-type: application/json`, without which another site's form could start sessions with the user's
//! cookie.
//!
//! Every answer says `cache-control: no-store`. A failure is `{"code", "message", "fields": [{"path", "message"}]}`, `fields`
//! only where some are at fault; none of it repeats what the service said or what the browser sent, except keys:
//!
//! | Status | `code` | |
//! | --- | --- | --- |
//! | 400 | `invalid_json` | The body is no JSON object. |
//! | 400 | `choice_refused` | Fields that are not offered, values that are not, or a choice that this crate's check or the service refuses. |
//! | 401, 403, 429, 503 | `unauthenticated`, `forbidden`, `too_many`, `unavailable` | A [`Rejection`]; `unavailable` also when the client was shut down, or its session store is away. |
//! | 405, 413, 415 | `method_not_allowed`, `too_large`, `not_json` | |
//! | 409 | `session_running` | The user has a session, and [`Second::Refused`] says that it stays. |
//! | 500 | `misconfigured` | The key is refused, or the server's own configuration: nothing that a browser can change. |
//! | 502, 504 | `service_failed`, `service_timeout`, `not_stopped` | The service or the network failed. |
//! | 503 | `busy`, `no_credits` | `busy` with `retry-after`: no free slot, or the rate limit. |
//!
//! The `tracing` feature says in the server's log what a 5xx was about: kinds, codes, request ids and paths of fields.

mod answer;
mod choice;
mod held;
#[cfg(feature = "tracing")]
mod trace;

pub use answer::Rejection;
pub use choice::Choice;

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde::Serialize;
use serde_json::{Map, Value};

use answer::{Failure, Field, empty, json};
use choice::Choices;
use held::{Held, Live, works_until};

use crate::client::Client;
use crate::config::{Mintable as _, max_duration, no_field};
use crate::error::Error;
use crate::secret::Secret;
use crate::session::{AnyConfiguration, SANDBOX_MAX_SESSION_DURATION};
use crate::store::BoxFuture;

/// How long a session lasts at most, unless [`TokenEndpoint::longest_session`] says otherwise.
///
/// Ours: a browser tab that is closed without a `DELETE` must not cost credits for long.
pub const LONGEST_SESSION: Duration = Duration::from_secs(600);

/// How many bytes of choices are read, unless [`TokenEndpoint::body_limit`] says otherwise.
pub const BODY_LIMIT: usize = 16 * 1024;

const DURATION: &str = "max_session_duration";

/// What a second request of a user does while the first one's session is live.
///
/// A session that the server starts is live until it is stopped or over. One of which the browser has the token is live until
/// the service says that it has ended, or its longest time has passed since it was minted, because whether a token is ever used
/// is not known. After that, and after a `DELETE`, the token is set aside: at the user's next request the service is asked
/// whether a session was started with it late, and one that runs counts again. So many tokens can be started at once that were
/// fetched one by one, until the next request: where that matters, let the server [start](TokenEndpoint::starting) sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Second {
    /// It is refused with 409; `DELETE` makes way.
    #[default]
    Refused,
    /// It stops the first one's session, waits for that, and gets its own.
    ///
    /// Requests of one user that come at once are served one after the other.
    Replaces,
}

/// Builds a [`Router`] that gives sessions to browsers.
///
/// ```no_run
/// # fn endpoint(client: liveavatar_api::Client) -> Result<axum::Router, Box<dyn std::error::Error>> {
/// use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
/// use liveavatar_api::session::AnyConfiguration;
///
/// let configuration = AnyConfiguration::from_json(&std::fs::read_to_string("session.json")?)?;
/// let endpoint = TokenEndpoint::new(client, configuration, async |request| {
///     // The server's own login; what it returns is who has the session.
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
#[must_use = "an endpoint does nothing until it is a router"]
pub struct TokenEndpoint<U> {
    client: Client,
    base: Base<U>,
    authorize: Asked<Parts, U>,
    choices: Choices,
    second: Second,
    starts: bool,
    longest: Duration,
    body_limit: usize,
}

/// A function of the caller's that may refuse.
type Asked<Q, A> = Box<dyn Fn(Q) -> BoxFuture<'static, Result<A, Rejection>> + Send + Sync>;

/// The configuration before the browser's choices.
enum Base<U> {
    Fixed(Box<AnyConfiguration>),
    PerUser(Asked<U, AnyConfiguration>),
}

fn asked<Q, A, F>(ask: impl Fn(Q) -> F + Send + Sync + 'static) -> Asked<Q, A>
where
    F: Future<Output = Result<A, Rejection>> + Send + 'static,
{
    Box::new(move |question| Box::pin(ask(question)))
}

impl<U: Clone + Eq + Hash + Send + Sync + 'static> TokenEndpoint<U> {
    /// An endpoint whose sessions have this configuration, for those whom `authorize` lets in.
    ///
    /// `authorize` gets every request's head and returns the user, who has one session at a time, or refuses. Limits per user or
    /// day belong there too: [`Rejection::TooMany`].
    pub fn new<F>(
        client: Client,
        configuration: impl Into<AnyConfiguration>,
        authorize: impl Fn(Parts) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<U, Rejection>> + Send + 'static,
    {
        Self::with(client, Base::Fixed(Box::new(configuration.into())), asked(authorize))
    }

    /// An endpoint that makes the configuration for each request, from the user that `authorize` returns.
    pub fn per_user<F, C>(
        client: Client,
        configure: impl Fn(U) -> C + Send + Sync + 'static,
        authorize: impl Fn(Parts) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<U, Rejection>> + Send + 'static,
        C: Future<Output = Result<AnyConfiguration, Rejection>> + Send + 'static,
    {
        Self::with(client, Base::PerUser(asked(configure)), asked(authorize))
    }

    fn with(client: Client, base: Base<U>, authorize: Asked<Parts, U>) -> Self {
        Self {
            client,
            base,
            authorize,
            choices: Choices::default(),
            second: Second::default(),
            starts: false,
            longest: LONGEST_SESSION,
            body_limit: BODY_LIMIT,
        }
    }

    /// Lets browsers choose a field, by its path in the configuration such as `avatar_persona.language`.
    ///
    /// What is not allowed here is refused. A field that holds fields is taken whole.
    pub fn allow(mut self, path: &str, choice: Choice) -> Self {
        self.choices.allow(path, choice);
        self
    }

    /// What a second request of the same user does; [`Second::Refused`] unless set.
    pub fn second(mut self, second: Second) -> Self {
        self.second = second;
        self
    }

    /// Starts sessions here and looks after them: the browser gets LiveKit's address and token only.
    ///
    /// They are kept alive, whether or not the browser is still there, until a `DELETE` of the same user, their end,
    /// [`Client::shutdown`], or until the router is dropped. Let pages send the `DELETE` when they are left, with `keepalive`.
    pub fn starting(mut self) -> Self {
        self.starts = true;
        self
    }

    /// How long a session lasts at most, whoever asks for more; [`LONGEST_SESSION`] unless set.
    ///
    /// A configuration without `max_session_duration` gets this one, in the sandbox 60 s at most.
    pub fn longest_session(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// How many bytes of choices are read; [`BODY_LIMIT`] unless set.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The router, with `POST` and `DELETE` at `/`.
    ///
    /// # Errors
    /// When a path that browsers may choose leads to no field, or the configuration breaks a rule or lasts too long.
    pub fn router(self) -> Result<Router, Error> {
        let base = match &self.base {
            Base::Fixed(configuration) => Some(configuration.as_ref()),
            Base::PerUser(_) => None,
        };
        let mode = base.map(AnyConfiguration::mode);
        for path in self.choices.paths() {
            if let Some(wrong) = no_field(mode, &path) {
                return Err(Error::invalid_request(format!("allow: {wrong}")));
            }
        }
        if let Some(base) = base {
            let refuse =
                |problems| Error::invalid_request("the configuration breaks a rule").caused_by(problems);
            let mut value = written(base);
            self.limit(&mut value).map_err(|seconds| {
                let longest = self.longest.as_secs();
                Error::invalid_request(format!(
                    "{DURATION}: {seconds} s is longer than the endpoint's {longest} s; raise `longest_session`"
                ))
            })?;
            AnyConfiguration::from_value(value).map_err(refuse)?;
        }
        let endpoint = Arc::new(Endpoint { held: Held::new(), settings: self });
        let routes = post(open::<U>).delete(close::<U>).fallback(other_method);
        Ok(Router::new().route("/", routes).with_state(endpoint))
    }

    /// Sets how long the session may last.
    ///
    /// # Errors
    /// The seconds asked for, where they are too many.
    fn limit(&self, configuration: &mut Value) -> Result<(), u64> {
        let longest = self.longest.as_secs();
        if configuration[DURATION].is_null() {
            let sandbox = configuration["is_sandbox"] == true;
            let longest = if sandbox { longest.min(SANDBOX_MAX_SESSION_DURATION) } else { longest };
            configuration[DURATION] = longest.into();
        }
        // A browser may write 91.0, which the check takes for 91. What is no number, the check refuses.
        let most = f64::from(u32::try_from(longest).unwrap_or(u32::MAX));
        let asked = &configuration[DURATION];
        match asked.as_f64() {
            Some(seconds) if seconds > most => Err(asked.as_u64().unwrap_or(u64::MAX)),
            _ => Ok(()),
        }
    }
}

/// Leaves the configuration out, which may hold tokens and prompts.
impl<U> fmt::Debug for TokenEndpoint<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("second", &self.second)
            .field("starts", &self.starts)
            .field("longest", &self.longest)
            .field("body_limit", &self.body_limit)
            .finish_non_exhaustive()
    }
}

/// What the handlers share.
struct Endpoint<U> {
    settings: TokenEndpoint<U>,
    held: Held<U>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Given<'a> {
    Minted {
        session_id: uuid::Uuid,
        session_token: &'a Secret,
    },
    Started {
        session_id: uuid::Uuid,
        livekit_url: Option<&'a str>,
        livekit_client_token: Option<&'a Secret>,
        max_session_duration: Option<i64>,
    },
}

async fn open<U: Clone + Eq + Hash + Send + Sync + 'static>(
    State(endpoint): State<Arc<Endpoint<U>>>,
    request: Request,
) -> Response {
    endpoint.open(request).await.unwrap_or_else(Failure::into_response)
}

async fn close<U: Clone + Eq + Hash + Send + Sync + 'static>(
    State(endpoint): State<Arc<Endpoint<U>>>,
    request: Request,
) -> Response {
    endpoint.close(request).await.unwrap_or_else(Failure::into_response)
}

async fn other_method() -> Response {
    let message = "POST opens a session, DELETE stops it";
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).into_response()
}

impl<U: Clone + Eq + Hash + Send + Sync + 'static> Endpoint<U> {
    async fn open(&self, request: Request) -> Result<Response, Failure> {
        let settings = &self.settings;
        let client = &settings.client;
        let (parts, body) = request.into_parts();
        let says_json = says_json(&parts.headers);
        let user = (settings.authorize)(parts).await?;
        if !says_json {
            let message = "say content-type: application/json";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
        }
        let chosen = read(body, settings.body_limit).await?;
        let (configuration, chosen) = self.configuration(&user, chosen).await?;
        if client.is_shut_down() {
            return Err(Failure::unavailable());
        }

        let seat = self.held.seat(&user, client.clock().now());
        let mut place = match settings.second {
            Second::Refused => seat.try_lock_owned().map_err(|_| running())?,
            Second::Replaces => seat.lock_owned().await,
        };
        if place.is_taken(client).await {
            if settings.second == Second::Refused {
                return Err(running());
            }
            place.clear(client).await.map_err(|error| Failure::not_stopped(&error))?;
        }

        let failed = |error: Error| Failure::of(&error, &chosen);
        if settings.starts {
            let session = client.open(&configuration).await.map_err(failed)?;
            let started = session.started();
            let given = Given::Started {
                session_id: session.id(),
                livekit_url: started.livekit_url.as_deref(),
                livekit_client_token: started.livekit_client_token.as_ref(),
                max_session_duration: started.max_session_duration,
            };
            let response = json(StatusCode::OK, &given);
            place.live = Some(Live::Started(session));
            return Ok(response);
        }
        let minted = client.mint(&configuration).await.map_err(failed)?;
        let seconds = max_duration(configuration.body()).unwrap_or(settings.longest);
        let now = client.clock().now();
        let works = works_until(minted.token(), now);
        place.live = Some(Live::Minted { id: minted.id(), until: now + seconds, works });
        let given = Given::Minted { session_id: minted.id(), session_token: minted.token() };
        Ok(json(StatusCode::OK, &given))
    }

    async fn close(&self, request: Request) -> Result<Response, Failure> {
        let settings = &self.settings;
        let user = (settings.authorize)(request.into_parts().0).await?;
        let seat = self.held.seat(&user, settings.client.clock().now());
        let mut place = seat.lock_owned().await;
        place.clear(&settings.client).await.map_err(|error| Failure::not_stopped(&error))?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// The configuration with the choices in it, and the paths of those.
    async fn configuration(
        &self,
        user: &U,
        chosen: Map<String, Value>,
    ) -> Result<(AnyConfiguration, Vec<String>), Failure> {
        let settings = &self.settings;
        let mut value = match &settings.base {
            Base::Fixed(configuration) => written(configuration),
            Base::PerUser(configure) => written(&configure(user.clone()).await?),
        };
        let chosen = settings.choices.apply(chosen, &mut value).map_err(Failure::choice)?;
        settings.limit(&mut value).map_err(|seconds| {
            if !chosen.iter().any(|path| path == DURATION) {
                return Failure::too_long(seconds);
            }
            let message = format!("is more than {}", settings.longest.as_secs());
            Failure::choice(vec![Field { path: DURATION.to_owned(), message }])
        })?;
        match AnyConfiguration::from_value(value) {
            Ok(configuration) => Ok((configuration, chosen)),
            Err(problems) => Err(Failure::broken(&problems, &chosen)),
        }
    }
}

/// A configuration as JSON, which always writes.
fn written(configuration: &AnyConfiguration) -> Value {
    serde_json::to_value(configuration).unwrap_or_default()
}

fn running() -> Failure {
    let message = "this user has a session already; DELETE stops it";
    Failure::new(StatusCode::CONFLICT, "session_running", message)
}

fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

async fn read(body: Body, limit: usize) -> Result<Map<String, Value>, Failure> {
    let bytes = to_bytes(body, limit).await.map_err(|_| {
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than it may be")
    })?;
    serde_json::from_slice(&bytes).map_err(|_| {
        let message = "the body is no JSON object of choices; {} chooses nothing";
        Failure::new(StatusCode::BAD_REQUEST, "invalid_json", message)
    })
}
