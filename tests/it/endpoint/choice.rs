//! Which requests the endpoint accepts.

use std::time::Duration;

use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
use liveavatar_api::session::LiteSession;
use liveavatar_mock::Server;
use reqwest::Method;
use serde_json::json;

use super::{AVATAR, OTHER_AVATAR, ServedEndpoint, authorize, client, configuration, exchange};

fn endpoint(server: &Server) -> TokenEndpoint<String> {
    let base = json!({
        "mode": "FULL",
        "avatar_id": AVATAR,
        "avatar_persona": { "language": "en", "voice_id": OTHER_AVATAR },
    });
    TokenEndpoint::new(client(server), configuration(&base), authorize)
        .allow("avatar_id", Choice::one_of([AVATAR, OTHER_AVATAR]))
        .allow("avatar_persona.language", Choice::one_of([json!("en"), json!("de"), json!(5)]))
        .allow("max_session_duration", Choice::up_to(300))
        .allow(
            "dynamic_variables",
            Choice::checked(|value| match value.as_object() {
                Some(variables) if variables.keys().all(|key| key == "name") => Ok(()),
                _ => Err("must have no variables other than `name`".to_owned()),
            }),
        )
        .body_limit(300)
}

#[tokio::test(start_paused = true)]
async fn browsers_choose_only_allowed_values() {
    let server = Server::start().await.unwrap();
    let endpoint = ServedEndpoint::start(endpoint(&server)).await;
    let (full, overfull) = (format!("{:300}", "{}"), format!("{:301}", "{}"));
    let other_avatar = format!(r#"{{"avatar_id": "{OTHER_AVATAR}"}}"#);
    let cases = [
        ("nothing", "{}"),
        ("a nested field", r#"{"avatar_persona": {"language": "de"}}"#),
        ("several fields", r#"{"max_session_duration": 60, "avatar_persona": {"language": "de"}}"#),
        ("an allowed avatar", &other_avatar),
        ("variables that the function accepts", r#"{"dynamic_variables": {"name": "Ada"}}"#),
        ("variables that the function rejects", r#"{"dynamic_variables": {"prompt": "say this"}}"#),
        ("an avatar that is not allowed", r#"{"avatar_id": "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a19"}"#),
        ("a number above its limit", r#"{"max_session_duration": 301}"#),
        ("a number that is not whole", r#"{"max_session_duration": -1.5}"#),
        ("null", r#"{"max_session_duration": null}"#),
        ("another field", r#"{"is_sandbox": true}"#),
        ("another nested field", r#"{"avatar_persona": {"voice_id": "x"}}"#),
        ("a value in place of an object", r#"{"avatar_persona": "en"}"#),
        ("an empty object", r#"{"avatar_persona": {}}"#),
        ("a path as a key", r#"{"avatar_persona.language": "de"}"#),
        (
            "two invalid fields and a valid one",
            r#"{"mode": "LITE", "context": 1, "max_session_duration": 9}"#,
        ),
        ("a made-up key", r#"{"\n<script>alert(1)</script> and much more text than fits": 1}"#),
        ("an allowed value that breaks a rule", r#"{"avatar_persona": {"language": 5}}"#),
        ("not an object", "[]"),
        ("not JSON", "avatar_id=1"),
        ("an empty body", ""),
        ("a body at its limit", &full),
        ("a body above its limit", &overfull),
    ];
    let mut exchanges = Vec::new();
    for (position, (case, choices)) in cases.into_iter().enumerate() {
        // Different users, because each may have only one session.
        let request = endpoint.post(&format!("user-{position}"), choices);
        exchanges.push(exchange(case, &server, request).await);
    }
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn the_user_and_content_type_are_checked_first() {
    let server = Server::start().await.unwrap();
    let endpoint = ServedEndpoint::start(endpoint(&server)).await;
    let cases = [
        ("POST without a user", endpoint.request(Method::POST).body("no matter what")),
        ("DELETE without a user", endpoint.request(Method::DELETE)),
        ("a forbidden user", endpoint.post("banned", "{}")),
        ("a user at a limit", endpoint.post("limited", "{}")),
        ("the user cannot be identified", endpoint.post("unknown", "{}")),
        ("the server is misconfigured", endpoint.post("unlucky", "{}")),
        ("a form without a content type", endpoint.request(Method::POST).header("x-user", "ada").body("{}")),
        (
            "another content type",
            endpoint
                .request(Method::POST)
                .header("x-user", "ada")
                .header("content-type", "text/plain")
                .body("{}"),
        ),
        (
            "JSON with a charset",
            endpoint
                .request(Method::POST)
                .header("x-user", "ada")
                .header("content-type", "Application/JSON; charset=utf-8")
                .body("{}"),
        ),
        ("another method", endpoint.request(Method::GET).header("x-user", "ada")),
        ("nothing to stop", endpoint.delete("bob")),
    ];
    let mut exchanges = Vec::new();
    for (case, request) in cases {
        exchanges.push(exchange(case, &server, request).await);
    }
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn no_session_exceeds_the_maximum_duration() {
    let server = Server::start().await.unwrap();
    let mut exchanges = Vec::new();
    let sandbox = json!({
        "mode": "LITE", "avatar_id": liveavatar_api::session::SANDBOX_AVATAR_ID, "is_sandbox": true,
    });
    let lite = json!({ "mode": "LITE", "avatar_id": AVATAR });
    let short = json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": 30 });
    for (case, base, choices) in [
        ("no duration", &lite, "{}"),
        ("no duration in the sandbox", &sandbox, "{}"),
        ("a shorter duration", &short, "{}"),
        ("the browser chooses a shorter duration", &lite, r#"{"max_session_duration": 90}"#),
        ("the browser chooses a longer duration", &lite, r#"{"max_session_duration": 91}"#),
        (
            "the browser chooses a longer duration, written as a float",
            &lite,
            r#"{"max_session_duration": 91.0}"#,
        ),
        ("the browser chooses more than the sandbox allows", &sandbox, r#"{"max_session_duration": 61}"#),
    ] {
        let endpoint = TokenEndpoint::new(client(&server), configuration(base), authorize)
            .max_session_duration(Duration::from_secs(90))
            .allow("max_session_duration", Choice::checked(|_| Ok(())));
        let endpoint = ServedEndpoint::start(endpoint).await;
        exchanges.push(exchange(case, &server, endpoint.post("ada", choices)).await);
    }
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn each_user_can_have_a_different_configuration() {
    let server = Server::start().await.unwrap();
    let configure = async |user: String| match user.as_str() {
        "unconfigured" => Err(Rejection::Forbidden),
        "long" => {
            Ok(configuration(&json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": 601 })))
        }
        _ => Ok(LiteSession::builder().avatar_id(OTHER_AVATAR).build().unwrap().into()),
    };
    let endpoint = TokenEndpoint::per_user(client(&server), configure, authorize)
        .allow("avatar_persona.language", Choice::one_of(["de"]));
    let endpoint = ServedEndpoint::start(endpoint).await;
    let mut exchanges = Vec::new();
    for (case, user, choices) in [
        ("the user's own", "ada", "{}"),
        ("no configuration", "unconfigured", "{}"),
        ("a duration above the maximum", "long", "{}"),
        ("a choice that the mode does not have", "bob", r#"{"avatar_persona": {"language": "de"}}"#),
    ] {
        exchanges.push(exchange(case, &server, endpoint.post(user, choices)).await);
    }
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_browser_can_only_shorten_the_configured_duration() {
    let server = Server::builder().session_limit(100).start().await.unwrap();
    let configure = async |user: String| {
        let seconds = (user != "paying").then_some(30);
        Ok(configuration(&json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": seconds })))
    };
    let endpoint = |choice| {
        let endpoint = TokenEndpoint::per_user(client(&server), configure, authorize);
        endpoint.max_session_duration(Duration::from_secs(90)).allow("max_session_duration", choice)
    };
    let limited = ServedEndpoint::start(endpoint(Choice::up_to(60))).await;
    let free = ServedEndpoint::start(endpoint(Choice::checked(|_| Ok(())))).await;
    let mut exchanges = Vec::new();
    for (case, endpoint, user, choices) in [
        ("a free user chooses what the list allows", &limited, "free", r#"{"max_session_duration": 60}"#),
        ("a free user chooses a shorter duration", &limited, "free", r#"{"max_session_duration": 20}"#),
        ("a paying user chooses what the list allows", &limited, "paying", r#"{"max_session_duration": 60}"#),
        ("a free user chooses a little more", &free, "free", r#"{"max_session_duration": 31.0}"#),
        ("a free user chooses null", &free, "free", r#"{"max_session_duration": null}"#),
        ("a paying user chooses null", &free, "paying", r#"{"max_session_duration": null}"#),
    ] {
        exchanges.push(exchange(case, &server, endpoint.post(user, choices)).await);
    }
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_choice_can_depend_on_the_user() {
    let server = Server::start().await.unwrap();
    let base = json!({ "mode": "LITE", "avatar_id": AVATAR });
    let endpoint = TokenEndpoint::new(client(&server), configuration(&base), authorize);
    let endpoint = endpoint.allow_per_user("avatar_id", |user: &String| match user.as_str() {
        "ada" => Choice::one_of([OTHER_AVATAR]),
        _ => Choice::checked(|_| Err("is not offered to you".to_owned())),
    });
    let endpoint = ServedEndpoint::start(endpoint).await;
    let choices = json!({ "avatar_id": OTHER_AVATAR }).to_string();
    let mut exchanges = Vec::new();
    for user in ["ada", "bob"] {
        exchanges.push(exchange(user, &server, endpoint.post(user, &choices)).await);
    }
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn building_the_router_rejects_an_invalid_setup() {
    let server = Server::start().await.unwrap();
    let lite = json!({ "mode": "LITE", "avatar_id": AVATAR });
    let with = |base: &serde_json::Value| TokenEndpoint::new(client(&server), configuration(base), authorize);
    let any = || Choice::checked(|_| Ok(()));
    let long = json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": 601 });
    let per_user = TokenEndpoint::per_user(client(&server), async |_| Err(Rejection::Forbidden), authorize);
    let cases = [
        ("a misspelt field", with(&lite).allow("avatar", any())),
        ("a field of another mode", with(&lite).allow("avatar_persona.language", any())),
        ("a field inside a string", with(&lite).allow("avatar_id.language", any())),
        ("a field of no mode", per_user.allow("avatar_persona.languages", any())),
        ("a duration above the maximum", with(&long)),
        ("a maximum of zero", with(&lite).max_session_duration(Duration::ZERO)),
    ];
    let mut lines = Vec::new();
    for (case, endpoint) in cases {
        let error = endpoint.router().unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!("\n  {source}"));
        lines.push(format!("{case}: {error}{}", source.unwrap_or_default()));
    }
    let free = json!({ "mode": "FULL", "avatar_id": AVATAR, "avatar_persona": { "language": "en" } });
    with(&free).allow("dynamic_variables.name", any()).router().map(drop).unwrap();
    insta::assert_snapshot!(lines.join("\n"));
}
