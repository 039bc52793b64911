//! The service that handles requests, and the router around it.

use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{BoxError, Router};
use serde::Serialize;
use serde_json::{Map, Value};
use tower_service::Service;

use super::configuration::{DURATION, limit_duration, max_seconds, to_json};
use super::hooks::{Granted, report_end};
use super::response::{Failure, InvalidField, empty, json};
use super::token_endpoint::{ConfigurationSource, SecondSession, TokenEndpoint};
use super::user_sessions::{UserSession, UserSessions, mint};
use crate::config::{Mintable as _, max_duration, no_field};
use crate::error::Error;
use crate::secret::Secret;
use crate::session::AnyConfiguration;
use crate::store::BoxFuture;

impl<U: Clone + Eq + Hash + Send + Sync + 'static> TokenEndpoint<U> {
    /// Builds an axum router that serves `POST` and `DELETE` at `/`.
    ///
    /// # Errors
    /// As for [`service`](Self::service).
    pub fn router(self) -> Result<Router, Error> {
        Ok(Router::new().route_service("/", self.service()?))
    }

    /// Builds a tower service, for servers without axum and for any path.
    ///
    /// # Errors
    /// If an allowed path is not a field of the configuration, or the configuration is invalid or exceeds the maximum duration.
    pub fn service(self) -> Result<TokenService<U>, Error> {
        let fixed = match &self.configuration {
            ConfigurationSource::Fixed(configuration) => Some(configuration.as_ref()),
            ConfigurationSource::PerUser(_) => None,
        };
        let mode = fixed.map(AnyConfiguration::mode);
        for path in self.choices.paths() {
            if let Some(problem) = no_field(mode, &path) {
                return Err(Error::invalid_request(format!("allow: {problem}")));
            }
        }
        if let Some(configuration) = fixed {
            let mut configuration = to_json(configuration);
            limit_duration(&mut configuration, self.max_session_duration).map_err(|seconds| {
                let max = max_seconds(self.max_session_duration);
                Error::invalid_request(format!(
                    "{DURATION} is {seconds} s, but the endpoint allows {max} s; call `TokenEndpoint::{DURATION}` to allow more"
                ))
            })?;
            AnyConfiguration::from_value(configuration).map_err(|problems| {
                Error::invalid_request("the configuration is invalid").caused_by(problems)
            })?;
        }
        Ok(TokenService(Arc::new(Endpoint { settings: self, sessions: UserSessions::new() })))
    }
}

/// A tower service that opens and stops sessions for browsers; see [`TokenEndpoint::service`].
///
/// It reads the method and not the path, so it works behind any prefix, and behind a proxy that changes the path. Its clones
/// share the users' sessions. Dropping the last one stops the sessions that it started.
///
/// ```no_run
/// # fn mount(endpoint: liveavatar_api::endpoint::TokenEndpoint<String>) -> Result<(), liveavatar_api::Error> {
/// let app: axum::Router = axum::Router::new().nest_service("/session", endpoint.service()?);
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// If the future of a request is dropped, for example because the browser disconnects, a session that is being opened is stopped.
pub struct TokenService<U>(Arc<Endpoint<U>>);

impl<U> Clone for TokenService<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U> fmt::Debug for TokenService<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenService").field(&self.0.settings).finish()
    }
}

impl<U, B> Service<http::Request<B>> for TokenService<U>
where
    U: Clone + Eq + Hash + Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let endpoint = Arc::clone(&self.0);
        let request = request.map(Body::new);
        Box::pin(async move {
            let response = match *request.method() {
                Method::POST => endpoint.open(request).await,
                Method::DELETE => endpoint.close(request).await,
                _ => Ok(other_method()),
            };
            Ok(response.unwrap_or_else(Failure::into_response))
        })
    }
}

/// The state that all requests share.
struct Endpoint<U> {
    settings: TokenEndpoint<U>,
    sessions: UserSessions<U>,
}

/// The body of a successful `POST`.
#[derive(Serialize)]
#[serde(untagged)]
enum OpenedBody<'a> {
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

fn other_method() -> Response {
    let message = "POST opens a session, DELETE stops it";
    let failure = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    let mut response = failure.into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST,DELETE"));
    response
}

impl<U: Clone + Eq + Hash + Send + Sync + 'static> Endpoint<U> {
    async fn open(&self, request: Request) -> Result<Response, Failure> {
        let settings = &self.settings;
        let client = &settings.client;
        let (parts, body) = request.into_parts();
        let is_json = is_json(&parts.headers);
        let user = (settings.authorize)(parts).await?;
        if !is_json {
            let message = "the content type must be application/json";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
        }
        let choices = read_choices(body, settings.body_limit).await?;
        let (configuration, chosen) = self.configure(&user, choices).await?;
        if client.is_shut_down() {
            return Err(Failure::unavailable());
        }

        let entry = self.sessions.entry(&user, client.clock().now());
        let mut entry = match settings.second_session {
            SecondSession::Reject => entry.try_lock_owned().map_err(|_| session_running())?,
            SecondSession::Replace => entry.lock_owned().await,
        };
        if entry.has_session(client).await {
            if settings.second_session == SecondSession::Reject {
                return Err(session_running());
            }
            entry.stop_all(client).await.map_err(|error| Failure::not_stopped(&error))?;
        }

        let failed = |error: Error| Failure::opening(&error, &chosen);
        if settings.start_sessions {
            let session = client.open(&configuration).await.map_err(failed)?;
            let started = session.started();
            let body = OpenedBody::Started {
                session_id: session.id(),
                livekit_url: started.livekit_url.as_deref(),
                livekit_client_token: started.livekit_client_token.as_ref(),
                max_session_duration: started.max_session_duration,
            };
            let response = json(StatusCode::OK, &body);
            let seconds = started.max_session_duration.and_then(|seconds| u64::try_from(seconds).ok());
            let session = entry.session.insert(UserSession::Started(session));
            self.granted(user, session, &configuration, seconds.map(Duration::from_secs));
            return Ok(response);
        }
        let (minted, session) = mint(client, &configuration).await.map_err(failed)?;
        let session = entry.session.insert(session);
        let body = OpenedBody::Minted { session_id: minted.id(), session_token: minted.token() };
        let response = json(StatusCode::OK, &body);
        self.granted(user, session, &configuration, max_duration(configuration.body()));
        Ok(response)
    }

    /// Calls the hooks: one now, the other when the session ends.
    fn granted(
        &self,
        user: U,
        session: &mut UserSession,
        configuration: &AnyConfiguration,
        max_session_duration: Option<Duration>,
    ) {
        let session_id = session.id();
        if let Some(hook) = &self.settings.on_granted {
            hook(Granted { user: &user, session_id, configuration, max_session_duration });
        }
        if let Some(hook) = &self.settings.on_ended {
            tokio::spawn(report_end(
                self.settings.client.clone(),
                Arc::clone(hook),
                user,
                session_id,
                session.end_signal(),
            ));
        }
    }

    async fn close(&self, request: Request) -> Result<Response, Failure> {
        let TokenEndpoint { authorize, client, .. } = &self.settings;
        let user = authorize(request.into_parts().0).await?;
        let mut entry = self.sessions.entry(&user, client.clock().now()).lock_owned().await;
        entry.stop_all(client).await.map_err(|error| Failure::not_stopped(&error))?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// Returns the configuration with the choices applied, and the paths of the chosen fields.
    async fn configure(
        &self,
        user: &U,
        choices: Map<String, Value>,
    ) -> Result<(AnyConfiguration, Vec<String>), Failure> {
        let settings = &self.settings;
        let mut configuration = match &settings.configuration {
            ConfigurationSource::Fixed(configuration) => to_json(configuration),
            ConfigurationSource::PerUser(configure) => to_json(&configure(user.clone()).await?),
        };
        let own_max = configuration[DURATION].as_u64().map(Duration::from_secs);
        let chosen =
            settings.choices.apply(user, choices, &mut configuration).map_err(Failure::invalid_choice)?;
        let mut max = settings.max_session_duration;
        if chosen.iter().any(|path| path == DURATION) {
            max = max.min(own_max.unwrap_or(max));
        }
        limit_duration(&mut configuration, max).map_err(|seconds| {
            if !chosen.iter().any(|path| path == DURATION) {
                return Failure::too_long(seconds);
            }
            let message = format!("must be at most {}", max_seconds(max));
            Failure::invalid_choice(vec![InvalidField { path: DURATION.to_owned(), message }])
        })?;
        match AnyConfiguration::from_value(configuration) {
            Ok(configuration) => Ok((configuration, chosen)),
            Err(problems) => Err(Failure::invalid_configuration(&problems, &chosen)),
        }
    }
}

fn session_running() -> Failure {
    let message = "this user already has a session; DELETE stops it";
    Failure::new(StatusCode::CONFLICT, "session_running", message)
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

async fn read_choices(body: Body, limit: usize) -> Result<Map<String, Value>, Failure> {
    let bytes = to_bytes(body, limit)
        .await
        .map_err(|_| Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large"))?;
    serde_json::from_slice(&bytes).map_err(|_| {
        let message = "the body must be a JSON object of choices; send {} for none";
        Failure::new(StatusCode::BAD_REQUEST, "invalid_json", message)
    })
}
