//! The session operations and the credit balance, which are written by hand.
//!
//! The mock has its own version of the service's rules about session configurations, on purpose: it plays the service, so it
//! must not reuse the checks of the client under test. It shares only the published limits.

use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::credentials::Caller;
use crate::example::example_requests;
use crate::response::MockResponse;
use crate::schema::escape_segment;
use crate::sessions::{Mode, Session, Sessions, StartError, Terms};
use crate::state::ServerState;
use crate::transcript;
use crate::violation::Violation;
use liveavatar_api::session::{
    DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS, DYNAMIC_VARIABLES_ENTRIES,
    SANDBOX_AVATAR_ID, SANDBOX_MAX_SESSION_DURATION,
};

/// Configurations with which an external agent drives a LITE session.
const CONNECTORS: [&str; 3] = ["elevenlabs_agent_config", "openai_realtime_config", "gemini_realtime_config"];
/// The end reason if neither the request nor the document names one.
const UNKNOWN_REASON: &str = "UNKNOWN";

/// Handles a session operation; `None` for other operations.
pub(crate) fn respond(
    state: &mut ServerState,
    call: &Call<'_>,
) -> Option<Result<MockResponse, MockResponse>> {
    let sessions = &mut state.sessions;
    sessions.settle();
    Some(match call.operation.name.as_str() {
        "create_session_token" => mint(state, call),
        "start_session" => start(state, call),
        "keep_session_alive" => keep_alive(sessions, call),
        "stop_session" => stop(sessions, call),
        "list_sessions" => Ok(list(sessions, call)),
        "get_session" => get(sessions, call),
        "get_session_transcript" => get_transcript(sessions, call),
        "delete_session_events" => found(call, sessions.delete_events(call.path("session_id"))),
        // The service formats the balance as a string with two decimals.
        "get_user_credits" => {
            Ok(call.documented_response(json!({ "credits_left": format!("{}.00", sessions.credits()) })))
        }
        _ => return None,
    })
}

/// Returns an empty success response if the session was found.
fn found(call: &Call<'_>, is_found: bool) -> Result<MockResponse, MockResponse> {
    if is_found { Ok(call.session_response(Value::Null)) } else { Err(MockResponse::not_found("session")) }
}

fn mint(state: &mut ServerState, call: &Call<'_>) -> Result<MockResponse, MockResponse> {
    let terms = terms(call, state.sessions.limits.seconds)?;
    if let Some(rejection) = missing_variables(state, &terms, &call.input.body) {
        return Err(rejection);
    }
    if !state.may_use_avatar(&terms.avatar_id) {
        return Err(MockResponse::bad_request(&["avatar_id"], "You dont have access to this avatar"));
    }
    let (id, token) = state.sessions.mint(terms);
    Ok(call.session_response(json!({ "session_id": id, "session_token": token })))
}

/// Checks that every placeholder of the context has a value (document); the status of the error is not recorded.
fn missing_variables(state: &mut ServerState, terms: &Terms, body: &Value) -> Option<MockResponse> {
    let placeholders =
        state.storage.field("contexts", terms.context_id.as_ref()?, "required_dynamic_variables")?;
    let given = |name: &str| body.pointer(&format!("/dynamic_variables/{}", escape_segment(name))).is_some();
    let placeholders = placeholders.as_array()?.iter().filter_map(Value::as_str);
    let missing: Vec<&str> = placeholders.filter(|name| !given(name)).collect();
    let reason = format!("Missing required dynamic variables: {}", missing.join(", "));
    (!missing.is_empty()).then(|| MockResponse::bad_request(&["dynamic_variables"], &reason))
}

/// Checks the rules that the document cannot express, and returns what the session needs later.
fn terms(call: &Call<'_>, cap_seconds: u64) -> Result<Terms, MockResponse> {
    let body = &call.input.body;
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    let mode = match call.input.tags.get("mode").and_then(|mode| mode.as_str()) {
        Some("FULL") => Mode::Full,
        _ => Mode::Lite,
    };
    if mode == Mode::Full {
        check_persona(body)?;
    }
    let avatar_id = text(body, "avatar_id").unwrap_or_default().to_lowercase();
    let is_sandbox = given("is_sandbox") == Some(&Value::Bool(true));
    if is_sandbox && avatar_id != SANDBOX_AVATAR_ID {
        return Err(MockResponse::bad_request(
            &["avatar_id"],
            "This avatar is not supported in sandbox mode",
        ));
    }
    let cap_seconds = if is_sandbox { cap_seconds.min(SANDBOX_MAX_SESSION_DURATION) } else { cap_seconds };
    let requested = given("max_session_duration").and_then(Value::as_i64);
    // How the service handles a negative duration is not recorded; here the session ends at once.
    let max_seconds = requested.map_or(cap_seconds, |seconds| u64::try_from(seconds).unwrap_or(0));
    if max_seconds > cap_seconds {
        let reason =
            format!("max_session_duration ({max_seconds}s) exceeds the maximum allowed ({cap_seconds}s)");
        return Err(MockResponse::bad_request(&["max_session_duration"], &reason));
    }
    let is_lite = mode == Mode::Lite;
    let own_room = given("livekit_config").filter(|_| is_lite).and_then(|room| {
        Some((text(room, "livekit_url")?.to_owned(), text(room, "livekit_client_token")?.to_owned()))
    });
    let mut claims = Map::from_iter([("mode".to_owned(), mode.as_str().into())]);
    if is_lite {
        let connectors =
            CONNECTORS.iter().filter_map(|name| Some(((*name).to_owned(), given(name)?.clone())));
        claims.extend(connectors);
    }
    Ok(Terms {
        mode,
        is_sandbox,
        max_seconds,
        avatar_id,
        context_id: given("avatar_persona")
            .and_then(|persona| text(persona, "context_id"))
            .map(str::to_lowercase),
        llm_configuration_id: text(body, "llm_configuration_id").filter(|_| !is_lite).map(str::to_owned),
        own_room,
        has_connector: claims.len() > 1,
        #[cfg(feature = "room")]
        uses_push_to_talk: text(body, "interactivity_type") == Some("PUSH_TO_TALK"),
        claims: claims.into(),
    })
}

/// Checks the FULL rules: a persona or a voice agent, dynamic variables in one place, and their limits.
fn check_persona(body: &Value) -> Result<(), MockResponse> {
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    let agent = given("voice_agent");
    if agent.is_some() == given("avatar_persona").is_some() {
        // The text is recorded, the body is not; it has the documented shape of a 422.
        let message = "Provide exactly one of avatar_persona or voice_agent";
        let violation = Violation::new("value_error", vec!["body".into()], message, body.clone());
        return Err(MockResponse::unprocessable(vec![violation]));
    }
    let outside = given("dynamic_variables");
    let inside = agent.and_then(|agent| agent.get("dynamic_variables")).filter(|value| !value.is_null());
    let mut violations = check_variables(outside, &["body", "dynamic_variables"]);
    violations.extend(check_variables(inside, &["body", "voice_agent", "dynamic_variables"]));
    if !violations.is_empty() {
        return Err(MockResponse::unprocessable(violations));
    }
    if agent.is_some() && outside.is_some() {
        let reason = "dynamic_variables belong inside voice_agent when voice_agent is given";
        return Err(MockResponse::bad_request(&["dynamic_variables"], reason));
    }
    Ok(())
}

fn check_variables(variables: Option<&Value>, base: &[&str]) -> Vec<Violation> {
    let Some(variables) = variables.and_then(Value::as_object) else {
        return Vec::new();
    };
    let at = |rest: &[&str]| base.iter().chain(rest).map(|segment| Value::from(*segment)).collect();
    let too_long = |location, limit: usize, input: &str| {
        let message = format!("String should have at most {limit} characters");
        Violation::new("string_too_long", location, message, input.into())
            .with_context(json!({ "max_length": limit }))
    };
    let mut violations = Vec::new();
    if variables.len() > DYNAMIC_VARIABLES_ENTRIES {
        let message = format!(
            "Dictionary should have at most {DYNAMIC_VARIABLES_ENTRIES} items after validation, not {}",
            variables.len()
        );
        violations.push(Violation::new("too_long", at(&[]), message, Value::from(variables.clone())));
    }
    for (key, value) in variables {
        if key.chars().count() > DYNAMIC_VARIABLE_KEY_CHARACTERS {
            violations.push(too_long(at(&[key, "[key]"]), DYNAMIC_VARIABLE_KEY_CHARACTERS, key));
        }
        let value = value.as_str().unwrap_or_default();
        if value.chars().count() > DYNAMIC_VARIABLE_VALUE_CHARACTERS {
            violations.push(too_long(at(&[key]), DYNAMIC_VARIABLE_VALUE_CHARACTERS, value));
        }
    }
    violations
}

fn start(state: &mut ServerState, call: &Call<'_>) -> Result<MockResponse, MockResponse> {
    let Caller::Session(id) = call.caller else {
        return Err(MockResponse::unauthorized());
    };
    // The service checks the LLM configuration at start, not when the token is minted (field report).
    // The configuration of the document's example exists, so that the example works.
    let is_example = |llm: &str| {
        let mut examples = example_requests("create_session_token").into_iter();
        examples.any(|example| example.body.is_some_and(|body| body["llm_configuration_id"] == llm))
    };
    let llm = state.sessions.terms(id).and_then(|terms| terms.llm_configuration_id.as_ref());
    if let Some(llm) = llm.filter(|llm| !state.storage.has("llm-configurations", llm) && !is_example(llm)) {
        let reason = format!("LLM configuration with id '{llm}' not found in your space");
        return Err(MockResponse::bad_request(&["llm_configuration_id"], &reason));
    }
    let livekit = state.sessions.livekit.clone();
    let started = state.sessions.start(id).map(|session| call.session_response(session.start_data(&livekit)));
    started.map_err(|error| match error {
        // The text for a second start is not recorded.
        StartError::Running => MockResponse::bad_request(&["session_token"], "Session has already started"),
        StartError::Ended => MockResponse::bad_request(&["session_token"], "Session has already ended"),
        StartError::Limit => MockResponse::error(403, 4032, "Session concurrency limit reached"),
        StartError::Credits => MockResponse::error(403, 4033, "No credits available"),
    })
}

fn keep_alive(sessions: &mut Sessions, call: &Call<'_>) -> Result<MockResponse, MockResponse> {
    let id = call.session()?;
    found(call, sessions.keep_alive(id))
}

/// An absent body and a body without a reason have different defaults; the document has both.
fn stop(sessions: &mut Sessions, call: &Call<'_>) -> Result<MockResponse, MockResponse> {
    let default = || call.operation.body.as_ref()?.property_default("reason")?.as_str();
    let reason = text(&call.input.body, "reason").or_else(default).unwrap_or(UNKNOWN_REASON);
    let id = call.session()?;
    found(call, sessions.stop(id, reason))
}

fn list(sessions: &Sessions, call: &Call<'_>) -> MockResponse {
    let filter = |name: &str| call.input.query.get(name).and_then(Value::as_str).map(str::to_lowercase);
    let (avatar, context, embed) = (filter("avatar_id"), filter("context_id"), filter("embed_id"));
    let matches = |session: &&Session| {
        let terms = &session.terms;
        avatar.as_ref().is_none_or(|avatar| *avatar == terms.avatar_id)
            && context.as_ref().is_none_or(|context| Some(context) == terms.context_id.as_ref())
            // The mock does not simulate sessions of embeds.
            && embed.is_none()
    };
    let mut found: Vec<&Session> = if filter("type").as_deref() == Some("active") {
        sessions.running().filter(matches).collect()
    } else {
        sessions.ended().filter(matches).collect()
    };
    found.reverse();
    call.session_response(call.page(&found, |session| sessions.entry(session)))
}

/// Returns the session that the path names.
fn named<'a>(sessions: &'a Sessions, call: &Call<'_>) -> Result<&'a Session, MockResponse> {
    sessions.started(call.path("session_id")).ok_or_else(|| MockResponse::not_found("session"))
}

fn get(sessions: &Sessions, call: &Call<'_>) -> Result<MockResponse, MockResponse> {
    Ok(call.session_response(sessions.entry(named(sessions, call)?)))
}

fn get_transcript(sessions: &Sessions, call: &Call<'_>) -> Result<MockResponse, MockResponse> {
    let session = named(sessions, call)?;
    let (lines, next) = match session.terms.mode {
        Mode::Full => {
            let (from, to) = (call.number("start_timestamp"), call.number("end_timestamp"));
            let window = sessions.window(session, from, to);
            match sessions.said(session) {
                Some(lines) => transcript::page(window, lines),
                None => transcript::page(window, transcript::generated(window.elapsed)),
            }
        }
        Mode::Lite => (Vec::new(), None),
    };
    Ok(call.session_response(
        json!({ "session_active": session.is_running(), "transcript_data": lines, "next_timestamp": next }),
    ))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}
