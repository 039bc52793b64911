//! What setters take, and what they send.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use liveavatar_api::types::{
    AvatarPersona, CreateContext, CreateUpdateContextLink, ElevenLabsVoiceSettings, EmbedAvatarType,
    FullSessionConfig, VideoQuality, VideoSettings, builder,
};
use liveavatar_api::{Client, Error, Nullable, OpenEnum, Uuid};
use liveavatar_mock::Server;
use liveavatar_tests::client;
use serde_json::{Value, json};

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Sends a call, and returns the query and the JSON body that reach the mock.
async fn sent<T>(server: &Server, call: impl IntoFuture<Output = Result<T, Error>>) -> String {
    // The mock may reject the invented ids.
    let result = call.await.map(drop);
    let Some(request) = server.take_requests().pop() else { panic!("nothing was sent: {result:?}") };
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) => body.to_string(),
        Err(_) => request.query.unwrap_or_default(),
    }
}

/// Sends each call, and returns a line with what reaches the mock.
macro_rules! lines {
    ($server:expr, $($name:literal: $call:expr,)*) => {{
        let mut text = String::new();
        $(writeln!(text, "{}: {}", $name, sent($server, $call).await).unwrap();)*
        text
    }};
}

fn link(url: &str) -> builder::CreateUpdateContextLink {
    CreateUpdateContextLink::builder().url(url)
}

fn full() -> builder::FullSessionConfig {
    FullSessionConfig::builder().avatar_id(ID).mode("FULL")
}

#[tokio::test]
async fn a_text_field_takes_every_kind_of_text() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let context = || client.create_context().prompt("p");
    let named = || context().name("n");
    let (text, absent) = ("text".to_owned(), None::<&str>);
    let text = lines! { &server,
        "&str": context().name("text"),
        "&String": context().name(&text),
        "String": context().name(text.clone()),
        "Uuid": context().name(Uuid::nil()),
        "optional, &str": named().opening_text("text"),
        "optional, &String": named().opening_text(&text),
        "optional, String": named().opening_text(text.clone()),
        "optional, Option<&str>": named().opening_text(Some("text")),
        "optional, Option<&String>": named().opening_text(Some(&text)),
        "optional, Option<String>": named().opening_text(Some(text.clone())),
        "optional, None": named().opening_text(absent),
    };
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn an_id_or_an_enum_takes_its_type_and_text() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let id: Uuid = ID.parse().unwrap();
    let embed = || client.create_embed_v2().avatar_id(id);
    let list = || client.list_voices();
    let text = lines! { &server,
        "Uuid": client.create_embed_v2().avatar_id(id),
        "Uuid, &str": client.create_embed_v2().avatar_id(ID),
        "optional Uuid": embed().context_id(id),
        "optional Uuid, &str": embed().context_id(ID),
        "optional Uuid, Option<String>": embed().context_id(Some(ID.to_owned())),
        "optional Uuid, Option<Uuid>": embed().context_id(Some(id)),
        "optional Uuid, None": embed().context_id(None::<Uuid>),
        "enum": embed().type_(EmbedAvatarType::Widget),
        "enum, &str": embed().type_("WIDGET"),
        "enum, Option": embed().type_(Some(EmbedAvatarType::Widget)),
        "enum, OpenEnum": embed().type_(OpenEnum::Known(EmbedAvatarType::Widget)),
        "enum, other": embed().type_(OpenEnum::other("HOLOGRAM")),
        "enum, None": embed().type_(None::<EmbedAvatarType>),
        "text with a limit": embed().default_language("en"),
        "parameter, &str": list().voice_type("public"),
        "parameter, None": list().page(2).voice_type(None::<&str>),
    };
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_number_field_takes_every_width() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let embed = || client.create_embed_v2().avatar_id(ID);
    let list = || client.list_voices();
    let session = |voice| {
        let persona = AvatarPersona::builder().voice_settings(voice);
        client.create_session_token().body(full().avatar_persona(persona))
    };
    let voice = ElevenLabsVoiceSettings::builder;
    let text = lines! { &server,
        "i32 parameter": list().page(2),
        "u8 parameter": list().page(2_u8),
        "usize parameter": list().page(2_usize),
        "Option<i64> parameter": list().page(Some(2_i64)),
        "u64": embed().max_session_duration(60_u64),
        "i16": embed().max_session_duration(60_i16),
        "float": session(voice().speed(1.1)),
        "float, f32": session(voice().speed(0.875_f32)),
        "float, integer": session(voice().speed(1)),
        "float, None": session(voice().speed(None::<f64>)),
        "boolean": embed().is_sandbox(true),
        "boolean, Option": embed().is_sandbox(Some(false)),
    };
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_list_or_a_map_takes_every_collection() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let context = || client.create_context().name("n").prompt("p");
    let session = |full: builder::FullSessionConfig| client.create_session_token().body(full);
    let same = |key: &'static str| (key, key);
    let built = link("a").build().unwrap();
    let text = lines! { &server,
        "array of builders": context().links([link("a"), link("b")]),
        "Vec of values": context().links(vec![built.clone()]),
        "iterator": context().links(["a", "b"].into_iter().map(link)),
        "Option<Vec> of builders": context().links(Some(vec![link("a")])),
        "empty": context().links([] as [CreateUpdateContextLink; 0]),
        "None": context().links(None::<Vec<CreateUpdateContextLink>>),
        "array of pairs": session(full().dynamic_variables([("a", "1"), ("b", "2")])),
        "BTreeMap": session(full().dynamic_variables(BTreeMap::from([("a".to_owned(), "1".to_owned())]))),
        "iterator of pairs": session(full().dynamic_variables(["a", "b"].into_iter().map(same))),
        "Option<Vec> of pairs": session(full().dynamic_variables(Some(vec![("a", "1")]))),
        "no map": session(full().dynamic_variables(None::<[(&str, &str); 0]>)),
    };
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_request_type_can_be_given_as_a_value_or_a_builder() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let context = || CreateContext::builder().name("n").prompt("p");
    let session = || client.create_session_token();
    let video = || VideoSettings::builder().quality(VideoQuality::High);
    let text = lines! { &server,
        "body, builder": client.create_context().body(context()),
        "body, value": client.create_context().body(context().build().unwrap()),
        "body, changed value": client.create_context().body(context().build().unwrap()).name("other"),
        "union, builder": session().body(full()),
        "union, value": session().body(full().build().unwrap()),
        "field, builder": session().body(full().video_settings(video())),
        "field, value": session().body(full().video_settings(video().build().unwrap())),
        "field, Option": session().body(full().video_settings(Some(video().build().unwrap()))),
    };
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_patch_keeps_a_field_for_none_and_clears_it_for_null() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let update = || client.update_context().context_id(ID).name("n").prompt("p").opening_text("o");
    let avatar = || client.update_avatar().avatar_id(ID);
    let none = None::<Vec<CreateUpdateContextLink>>;
    let text = lines! { &server,
        "not set": update(),
        "None": update().links(none.clone()),
        "Null": update().links(Nullable::Null),
        "Some(Null)": update().links(Some(Nullable::Null)),
        "value": update().links([link("a")]),
        "Some(value)": update().links(Some(Nullable::Value(vec![link("a").build().unwrap()]))),
        "None after a value": update().links([link("a")]).links(none),
        "text, None": avatar().default_voice_id(None::<Nullable<String>>),
        "text, Null": avatar().default_voice_id(Nullable::Null),
        "text, Some(Null)": avatar().default_voice_id(Some(Nullable::Null)),
        "text, value": avatar().default_voice_id("v"),
    };
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn the_last_call_of_a_setter_wins() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let context = || client.create_context().name("first").prompt("p");
    let other = || CreateContext::builder().name("whole").prompt("q");
    let embed = client.create_embed_v2().avatar_id(ID);
    let text = lines! { &server,
        "a value": context().name("second"),
        "None": context().opening_text("first").opening_text(None::<&str>),
        "a parameter": client.list_voices().page(2).page(3),
        "a whole body": context().opening_text("first").body(other()),
        "a field after a whole body": context().body(other()).name("second"),
        "an unlisted value after a text": embed.type_("DEFAULT").type_(OpenEnum::other("NEW")),
    };
    insta::assert_snapshot!(text);
}

#[test]
fn debug_output_of_a_call_or_a_builder_shows_names_and_no_values() {
    let client = Client::new("canary-key").unwrap();
    let canary = || "canary".to_owned();
    let link = CreateUpdateContextLink::builder().url(canary()).faq(canary());
    let context = || CreateContext::builder().name(canary()).links([link.clone()]);
    let full = || FullSessionConfig::builder().dynamic_variables([(canary(), canary())]);
    let shown = [
        format!("{:?}", link.clone()),
        format!("{:?}", context()),
        format!("{:?}", full()),
        format!("{:?}", client.create_context().body(context()).opening_text(canary())),
        format!("{:?}", client.update_context().context_id(ID).links([link.clone()])),
        format!("{:?}", client.create_session_token().body(full())),
        format!("{:?}", client.list_sessions().avatar_id(canary()).page(7)),
        format!("{:?}", client.create_image_avatar().file(canary())),
        format!(
            "{:#?}",
            client.operation("create_secret").unwrap().json(json!(canary())).query("q", canary())
        ),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn each_nullable_field_of_a_patch_says_what_absent_and_null_mean() {
    let document =
        std::fs::read_to_string(xtask::documents::root().join("openapi/liveavatar-v1.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let schemas = &document["components"]["schemas"];
    let paths = document["paths"].as_object().unwrap().values();
    let bodies = paths.filter_map(|item| {
        let body = &item["patch"]["requestBody"]["content"]["application/json"]["schema"];
        body["$ref"].as_str()?.rsplit('/').next()
    });
    let mut docs = String::new();
    for body in bodies {
        for (field, _) in schemas[body]["properties"].as_object().unwrap() {
            for line in liveavatar_tests::DOCS.lines() {
                let (path, _) = line.split_once(": ").unwrap_or((line, ""));
                let named = path.trim_end_matches("()").to_lowercase();
                if named == format!("{}.{field}", body.replace('_', "")).to_lowercase() {
                    docs += line;
                    docs.push('\n');
                }
            }
        }
    }
    insta::assert_snapshot!(docs);
}
