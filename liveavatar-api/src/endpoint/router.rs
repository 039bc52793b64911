//! The routes and their handlers.

use std::hash::Hash;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde::Serialize;
use serde_json::{Map, Value};

use super::configuration::{DURATION, limit_duration, max_seconds, to_json};
use super::response::{Failure, InvalidField, empty, json};
use super::token_endpoint::{ConfigurationSource, SecondSession, TokenEndpoint};
use super::user_sessions::{UserSession, UserSessions, mint};
use crate::config::no_field;
use crate::error::Error;
use crate::secret::Secret;
use crate::session::AnyConfiguration;

impl<U: Clone + Eq + Hash + Send + Sync + 'static> TokenEndpoint<U> {
    /// Builds the router, with `POST` and `DELETE` at `/`.
    ///
    /// # Errors
    /// If an allowed path is not a field of the configuration, or the configuration is invalid or exceeds the maximum duration.
    pub fn router(self) -> Result<Router, Error> {
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
        let endpoint = Arc::new(Endpoint { settings: self, sessions: UserSessions::new() });
        let routes = post(Endpoint::open).delete(Endpoint::close).fallback(other_method);
        Ok(Router::new().route("/", routes).with_state(endpoint))
    }
}

/// The state of the handlers.
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

async fn other_method() -> Failure {
    let message = "POST opens a session, DELETE stops it";
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

impl<U: Clone + Eq + Hash + Send + Sync + 'static> Endpoint<U> {
    async fn open(State(this): State<Arc<Self>>, request: Request) -> Result<Response, Failure> {
        let settings = &this.settings;
        let client = &settings.client;
        let (parts, body) = request.into_parts();
        let is_json = is_json(&parts.headers);
        let user = (settings.authorize)(parts).await?;
        if !is_json {
            let message = "the content type must be application/json";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
        }
        let choices = read_choices(body, settings.body_limit).await?;
        let (configuration, chosen) = this.configure(&user, choices).await?;
        if client.is_shut_down() {
            return Err(Failure::unavailable());
        }

        let entry = this.sessions.entry(&user, client.clock().now());
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
            entry.session = Some(UserSession::Started(session));
            return Ok(response);
        }
        let (minted, session) = mint(client, &configuration).await.map_err(failed)?;
        entry.session = Some(session);
        let body = OpenedBody::Minted { session_id: minted.id(), session_token: minted.token() };
        Ok(json(StatusCode::OK, &body))
    }

    async fn close(State(this): State<Arc<Self>>, request: Request) -> Result<Response, Failure> {
        let TokenEndpoint { authorize, client, .. } = &this.settings;
        let user = authorize(request.into_parts().0).await?;
        let mut entry = this.sessions.entry(&user, client.clock().now()).lock_owned().await;
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
        let chosen = settings.choices.apply(choices, &mut configuration).map_err(Failure::invalid_choice)?;
        limit_duration(&mut configuration, settings.max_session_duration).map_err(|seconds| {
            if !chosen.iter().any(|path| path == DURATION) {
                return Failure::too_long(seconds);
            }
            let message = format!("must be at most {}", max_seconds(settings.max_session_duration));
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
