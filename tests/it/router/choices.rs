//! What a request may say, and what becomes of it.

use std::time::Duration;

use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
use liveavatar_api::session::{Configuration, Lite};
use liveavatar_mock::Server;
use reqwest::Method;
use serde_json::json;

use super::{AVATAR, OTHER_AVATAR, Page, client, configuration, told, user};

fn endpoint(server: &Server) -> TokenEndpoint<String> {
    let base = json!({
        "mode": "FULL",
        "avatar_id": AVATAR,
        "avatar_persona": { "language": "en", "voice_id": OTHER_AVATAR },
    });
    TokenEndpoint::new(client(server), configuration(&base), user)
        .allow("avatar_id", Choice::one_of([AVATAR, OTHER_AVATAR]))
        .allow("avatar_persona.language", Choice::one_of([json!("en"), json!("de"), json!(5)]))
        .allow("max_session_duration", Choice::up_to(300))
        .allow(
            "dynamic_variables",
            Choice::checked(|value| match value.as_object() {
                Some(variables) if variables.keys().all(|key| key == "name") => Ok(()),
                _ => Err("has other variables than `name`".to_owned()),
            }),
        )
        .body_limit(300)
}

#[tokio::test(start_paused = true)]
async fn only_what_is_allowed_can_be_chosen() {
    let server = Server::start().await.unwrap();
    let page = Page::of(endpoint(&server)).await;
    let (full, overfull) = (format!("{:300}", "{}"), format!("{:301}", "{}"));
    let other_avatar = format!(r#"{{"avatar_id": "{OTHER_AVATAR}"}}"#);
    let cases = [
        ("nothing", "{}"),
        ("a field within another", r#"{"avatar_persona": {"language": "de"}}"#),
        ("several fields", r#"{"max_session_duration": 60, "avatar_persona": {"language": "de"}}"#),
        ("one avatar of the set", &other_avatar),
        ("variables that the function lets pass", r#"{"dynamic_variables": {"name": "Ada"}}"#),
        ("variables that it does not", r#"{"dynamic_variables": {"prompt": "say this"}}"#),
        ("an avatar outside the set", r#"{"avatar_id": "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a19"}"#),
        ("a number above its limit", r#"{"max_session_duration": 301}"#),
        ("no whole number", r#"{"max_session_duration": -1.5}"#),
        ("null", r#"{"max_session_duration": null}"#),
        ("another field", r#"{"is_sandbox": true}"#),
        ("another field within one that has allowed ones", r#"{"avatar_persona": {"voice_id": "x"}}"#),
        ("the whole of what has allowed fields", r#"{"avatar_persona": "en"}"#),
        ("nothing of what has allowed fields", r#"{"avatar_persona": {}}"#),
        ("a path for a key", r#"{"avatar_persona.language": "de"}"#),
        ("two wrong fields and a right one", r#"{"mode": "LITE", "context": 1, "max_session_duration": 9}"#),
        ("a key of a browser's own", r#"{"\n<script>alert(1)</script> and much more text than fits": 1}"#),
        ("a value that is offered and breaks a rule", r#"{"avatar_persona": {"language": 5}}"#),
        ("no object", "[]"),
        ("no JSON", "avatar_id=1"),
        ("an empty body", ""),
        ("a body at its limit", &full),
        ("a body above its limit", &overfull),
    ];
    let mut told_all = Vec::new();
    for (position, (case, choices)) in cases.into_iter().enumerate() {
        // Each of another user, so that none is in another's way.
        let request = page.post(&format!("user-{position}"), choices);
        told_all.push(told(case, &server, request).await);
    }
    insta::assert_snapshot!(told_all.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn who_asks_and_how_is_looked_at_first() {
    let server = Server::start().await.unwrap();
    let page = Page::of(endpoint(&server)).await;
    let cases = [
        ("nobody", page.request(Method::POST).body("no matter what")),
        ("nobody stops", page.request(Method::DELETE)),
        ("a user who may not", page.post("banned", "{}")),
        ("a user who may not now", page.post("eager", "{}")),
        ("the users are not known", page.post("unknown", "{}")),
        ("a form of another site", page.request(Method::POST).header("x-user", "ada").body("{}")),
        (
            "text for JSON",
            page.request(Method::POST)
                .header("x-user", "ada")
                .header("content-type", "text/plain")
                .body("{}"),
        ),
        (
            "JSON with its characters named",
            page.request(Method::POST)
                .header("x-user", "ada")
                .header("content-type", "Application/JSON; charset=utf-8")
                .body("{}"),
        ),
        ("another method", page.request(Method::GET).header("x-user", "ada")),
        ("nothing to stop", page.delete("bob")),
    ];
    let mut told_all = Vec::new();
    for (case, request) in cases {
        told_all.push(told(case, &server, request).await);
    }
    insta::assert_snapshot!(told_all.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn no_session_lasts_longer_than_the_endpoint_lets_it() {
    let server = Server::start().await.unwrap();
    let mut told_all = Vec::new();
    let sandbox = json!({
        "mode": "LITE", "avatar_id": liveavatar_api::session::SANDBOX_AVATAR_ID, "is_sandbox": true,
    });
    let lite = json!({ "mode": "LITE", "avatar_id": AVATAR });
    let short = json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": 30 });
    for (case, base, choices) in [
        ("none is named", &lite, "{}"),
        ("none is named in the sandbox", &sandbox, "{}"),
        ("a shorter one is named", &short, "{}"),
        ("the browser wants a shorter one", &lite, r#"{"max_session_duration": 90}"#),
        ("the browser wants a longer one", &lite, r#"{"max_session_duration": 91}"#),
        ("the browser wants a longer one, with a fraction", &lite, r#"{"max_session_duration": 91.0}"#),
        ("the browser wants more than the sandbox has", &sandbox, r#"{"max_session_duration": 61}"#),
    ] {
        let endpoint = TokenEndpoint::new(client(&server), configuration(base), user)
            .longest_session(Duration::from_secs(90))
            .allow("max_session_duration", Choice::checked(|_| Ok(())));
        let page = Page::of(endpoint).await;
        told_all.push(told(case, &server, page.post("ada", choices)).await);
    }
    insta::assert_snapshot!(told_all.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn each_user_can_have_another_configuration() {
    let server = Server::start().await.unwrap();
    let configure = async |user: String| match user.as_str() {
        "nobody's" => Err(Rejection::Forbidden),
        "long" => {
            Ok(configuration(&json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": 601 })))
        }
        _ => Ok(Configuration::<Lite>::build(|lite| lite.avatar_id(OTHER_AVATAR)).unwrap().into()),
    };
    let endpoint = TokenEndpoint::per_user(client(&server), configure, user)
        .allow("avatar_persona.language", Choice::one_of(["de"]));
    let page = Page::of(endpoint).await;
    let mut told_all = Vec::new();
    for (case, user, choices) in [
        ("one's own", "ada", "{}"),
        ("none", "nobody's", "{}"),
        ("one that lasts too long", "long", "{}"),
        ("a choice that this one's mode has not got", "bob", r#"{"avatar_persona": {"language": "de"}}"#),
    ] {
        told_all.push(told(case, &server, page.post(user, choices)).await);
    }
    insta::assert_snapshot!(told_all.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_for_every_request_is_told_before_the_first() {
    let server = Server::start().await.unwrap();
    let lite = json!({ "mode": "LITE", "avatar_id": AVATAR });
    let with = |base: &serde_json::Value| TokenEndpoint::new(client(&server), configuration(base), user);
    let any = || Choice::checked(|_| Ok(()));
    let long = json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": 601 });
    let per_user = TokenEndpoint::per_user(client(&server), async |_| Err(Rejection::Forbidden), user);
    let cases = [
        ("a field misspelt", with(&lite).allow("avatar", any())),
        ("a field of another mode", with(&lite).allow("avatar_persona.language", any())),
        ("a field that has none", with(&lite).allow("avatar_id.language", any())),
        ("no field of any mode", per_user.allow("avatar_persona.languages", any())),
        ("a session that lasts too long", with(&long)),
        ("sessions of no time", with(&lite).longest_session(Duration::ZERO)),
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
