//! The operations that have behaviour of their own, by their short names.

use axum::http::Uri;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::MockResponse;
use super::credentials::Caller;
use super::document::Operation;
use super::example::{example_answer, example_requests};
use super::page::page;
use super::problem::Problem;
use super::schema::escape;
use super::sessions::{Mode, Session, StartRefusal, Terms};
use super::transcript;
use super::validate::Input;
use super::world::World;
use liveavatar_api::session::{
    DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS, DYNAMIC_VARIABLES_ENTRIES,
    SANDBOX_AVATAR_ID, SANDBOX_MAX_SESSION_DURATION,
};

/// Configurations that let an external agent drive a LITE session.
const CONNECTORS: [&str; 3] = ["elevenlabs_agent_config", "openai_realtime_config", "gemini_realtime_config"];
/// The reason when neither the request nor the document names one.
const UNKNOWN_REASON: &str = "UNKNOWN";

/// A validated request to one operation.
pub(super) struct Call<'a> {
    pub(super) operation: &'static Operation,
    pub(super) caller: Caller,
    pub(super) input: &'a Input,
    /// Base URL of the server, without a slash at its end.
    pub(super) base: &'a str,
    pub(super) uri: &'a Uri,
}

pub(super) type Handler = fn(&mut World, &Call<'_>) -> MockResponse;

/// The handler that replaces the generic answer of an operation.
pub(super) fn handler(operation: &str) -> Option<Handler> {
    Some(match operation {
        "create_session_token" => mint,
        "start_session" => start,
        "keep_session_alive" => keep_alive,
        "stop_session" => stop,
        "list_sessions" => list,
        "get_session" => get,
        "get_session_transcript" => get_transcript,
        "delete_session_events" => delete_events,
        "get_user_credits" => credits,
        _ => return None,
    })
}

impl Call<'_> {
    fn ok(&self, data: Value) -> MockResponse {
        MockResponse::session(self.operation.success, data)
    }

    /// The documented answer, with other data.
    pub(super) fn documented(&self, data: Value) -> MockResponse {
        let mut envelope = example_answer(&self.operation.name);
        if let Some(slot) = envelope.as_mut().and_then(|envelope| envelope.get_mut("data")) {
            *slot = data;
        }
        MockResponse::documented(self.operation.success, envelope)
    }

    /// The document's example.
    pub(super) fn example(&self) -> MockResponse {
        MockResponse::documented(self.operation.success, example_answer(&self.operation.name))
    }

    pub(super) fn path(&self, name: &str) -> &str {
        self.input.path.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.input.query.get(name)?.as_i64()
    }

    /// The session that a token stands for, or the one an API key names in the body.
    fn session(&self) -> Result<Uuid, MockResponse> {
        if let Caller::Session(id) = self.caller {
            return Ok(id);
        }
        let named = self.input.body.get("session_id").and_then(Value::as_str);
        named.and_then(|id| Uuid::parse_str(id).ok()).ok_or_else(|| {
            let location = vec!["body".into(), "session_id".into()];
            MockResponse::unprocessable(vec![Problem::missing(location, self.input.body.clone())])
        })
    }
}

fn mint(world: &mut World, call: &Call<'_>) -> MockResponse {
    let terms = match terms(call, world.sessions.limits.seconds) {
        Ok(terms) => terms,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = missing_variables(world, &terms, &call.input.body) {
        return refusal;
    }
    if !world.may_use_avatar(&terms.avatar_id) {
        return MockResponse::bad_request(&["avatar_id"], "You dont have access to this avatar");
    }
    let (id, token) = world.sessions.mint(terms);
    call.ok(json!({ "session_id": id, "session_token": token }))
}

/// A context's placeholders all need a value (document); with which status they are asked for is not on record.
fn missing_variables(world: &mut World, terms: &Terms, body: &Value) -> Option<MockResponse> {
    let asked =
        world.catalogue.field("contexts", terms.context_id.as_ref()?, "required_dynamic_variables")?;
    let given = |name: &str| body.pointer(&format!("/dynamic_variables/{}", escape(name))).is_some();
    let asked = asked.as_array()?.iter().filter_map(Value::as_str);
    let missing: Vec<&str> = asked.filter(|name| !given(name)).collect();
    let reason = format!("Missing required dynamic variables: {}", missing.join(", "));
    (!missing.is_empty()).then(|| MockResponse::bad_request(&["dynamic_variables"], &reason))
}

/// Checks the rules that the document cannot state, and keeps what the session needs later.
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
    let wanted = given("max_session_duration").and_then(Value::as_i64);
    // Nothing is on record about negative durations; they end at once.
    let max_seconds = wanted.map_or(cap_seconds, |seconds| u64::try_from(seconds).unwrap_or(0));
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
        claims: claims.into(),
    })
}

/// Persona against voice agent, variables in one place, and the limits of the template values, all for FULL only.
fn check_persona(body: &Value) -> Result<(), MockResponse> {
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    let agent = given("voice_agent");
    if agent.is_some() == given("avatar_persona").is_some() {
        // The recorded text in the published shape of a 422; how the live body looks is not on record.
        let message = "Provide exactly one of avatar_persona or voice_agent";
        let problem = Problem::new("value_error", vec!["body".into()], message, body.clone());
        return Err(MockResponse::unprocessable(vec![problem]));
    }
    let outside = given("dynamic_variables");
    let inside = agent.and_then(|agent| agent.get("dynamic_variables")).filter(|value| !value.is_null());
    let mut problems = check_variables(outside, &["body", "dynamic_variables"]);
    problems.extend(check_variables(inside, &["body", "voice_agent", "dynamic_variables"]));
    if !problems.is_empty() {
        return Err(MockResponse::unprocessable(problems));
    }
    if agent.is_some() && outside.is_some() {
        let reason = "dynamic_variables belong inside voice_agent when voice_agent is given";
        return Err(MockResponse::bad_request(&["dynamic_variables"], reason));
    }
    Ok(())
}

fn check_variables(variables: Option<&Value>, place: &[&str]) -> Vec<Problem> {
    let Some(variables) = variables.and_then(Value::as_object) else {
        return Vec::new();
    };
    let at = |rest: &[&str]| place.iter().chain(rest).map(|segment| Value::from(*segment)).collect();
    let too_long = |location, limit: usize, input: &str| {
        let message = format!("String should have at most {limit} characters");
        Problem::new("string_too_long", location, message, input.into())
            .with_context(json!({ "max_length": limit }))
    };
    let mut problems = Vec::new();
    if variables.len() > DYNAMIC_VARIABLES_ENTRIES {
        let message = format!(
            "Dictionary should have at most {DYNAMIC_VARIABLES_ENTRIES} items after validation, not {}",
            variables.len()
        );
        problems.push(Problem::new("too_long", at(&[]), message, Value::from(variables.clone())));
    }
    for (key, value) in variables {
        if key.chars().count() > DYNAMIC_VARIABLE_KEY_CHARACTERS {
            problems.push(too_long(at(&[key, "[key]"]), DYNAMIC_VARIABLE_KEY_CHARACTERS, key));
        }
        let value = value.as_str().unwrap_or_default();
        if value.chars().count() > DYNAMIC_VARIABLE_VALUE_CHARACTERS {
            problems.push(too_long(at(&[key]), DYNAMIC_VARIABLE_VALUE_CHARACTERS, value));
        }
    }
    problems
}

fn start(world: &mut World, call: &Call<'_>) -> MockResponse {
    let Caller::Session(id) = call.caller else {
        return MockResponse::unauthorized();
    };
    // Whether the model exists is looked at only here, not when the token is minted (field report).
    // What the document's example names is there, as in all its examples.
    let is_example = |llm: &str| {
        let mut examples = example_requests("create_session_token").into_iter();
        examples.any(|example| example.body.is_some_and(|body| body["llm_configuration_id"] == llm))
    };
    let llm = world.sessions.terms(id).and_then(|terms| terms.llm_configuration_id.as_ref());
    if let Some(llm) = llm.filter(|llm| !world.catalogue.has("llm-configurations", llm) && !is_example(llm)) {
        let reason = format!("LLM configuration with id '{llm}' not found in your space");
        return MockResponse::bad_request(&["llm_configuration_id"], &reason);
    }
    match world.sessions.start(id) {
        Ok(session) => call.ok(session.start_data()),
        // No text is on record for a second start.
        Err(StartRefusal::Running) => {
            MockResponse::bad_request(&["session_token"], "Session has already started")
        }
        Err(StartRefusal::Ended) => {
            MockResponse::bad_request(&["session_token"], "Session has already ended")
        }
        Err(StartRefusal::Limit) => MockResponse::concurrency_limit(),
        Err(StartRefusal::Credits) => MockResponse::no_credits(),
    }
}

fn keep_alive(world: &mut World, call: &Call<'_>) -> MockResponse {
    let sessions = &mut world.sessions;
    match call.session() {
        Ok(id) if sessions.keep_alive(id) => call.ok(Value::Null),
        Ok(_) => MockResponse::session_not_found(),
        Err(refusal) => refusal,
    }
}

/// An absent body and a body without reason mean different reasons; both defaults are in the document.
fn stop(world: &mut World, call: &Call<'_>) -> MockResponse {
    let sessions = &mut world.sessions;
    let default = || call.operation.body.as_ref()?.property_default("reason")?.as_str();
    let reason = text(&call.input.body, "reason").or_else(default).unwrap_or(UNKNOWN_REASON);
    match call.session() {
        Ok(id) if sessions.stop(id, reason) => call.ok(Value::Null),
        Ok(_) => MockResponse::session_not_found(),
        Err(refusal) => refusal,
    }
}

fn list(world: &mut World, call: &Call<'_>) -> MockResponse {
    let sessions = &mut world.sessions;
    sessions.settle();
    let wanted = |name: &str| call.input.query.get(name).and_then(Value::as_str).map(str::to_lowercase);
    let (avatar, context, embed) = (wanted("avatar_id"), wanted("context_id"), wanted("embed_id"));
    let fits = |session: &&Session| {
        let terms = &session.terms;
        avatar.as_ref().is_none_or(|avatar| *avatar == terms.avatar_id)
            && context.as_ref().is_none_or(|context| Some(context) == terms.context_id.as_ref())
            // Sessions of embeds are not played.
            && embed.is_none()
    };
    let mut found: Vec<&Session> = if wanted("type").as_deref() == Some("active") {
        sessions.running().filter(fits).collect()
    } else {
        sessions.ended().filter(fits).collect()
    };
    found.reverse();
    call.ok(page(call, &found, |session| sessions.entry(session)))
}

fn get(world: &mut World, call: &Call<'_>) -> MockResponse {
    let sessions = &mut world.sessions;
    sessions.settle();
    match sessions.started(call.path("session_id")) {
        Some(session) => call.ok(sessions.entry(session)),
        None => MockResponse::session_not_found(),
    }
}

fn get_transcript(world: &mut World, call: &Call<'_>) -> MockResponse {
    let sessions = &mut world.sessions;
    sessions.settle();
    let Some(session) = sessions.started(call.path("session_id")) else {
        return MockResponse::session_not_found();
    };
    let (lines, next) = match session.terms.mode {
        Mode::Full => {
            let (from, to) = (call.number("start_timestamp"), call.number("end_timestamp"));
            transcript::page(sessions.window(session, from, to))
        }
        Mode::Lite => (Vec::new(), None),
    };
    call.ok(
        json!({ "session_active": session.is_running(), "transcript_data": lines, "next_timestamp": next }),
    )
}

fn delete_events(world: &mut World, call: &Call<'_>) -> MockResponse {
    let sessions = &mut world.sessions;
    if sessions.delete_events(call.path("session_id")) {
        call.ok(Value::Null)
    } else {
        MockResponse::session_not_found()
    }
}

/// The balance as the service writes amounts: a text with two decimals.
fn credits(world: &mut World, call: &Call<'_>) -> MockResponse {
    call.documented(json!({ "credits_left": format!("{}.00", world.sessions.credits()) }))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}
