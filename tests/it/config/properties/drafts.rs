//! Random configurations: valid, nearly valid, and invalid.

use std::collections::BTreeMap;

use liveavatar_api::raw::Operation;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use crate::properties::json::{Edit, edit};
use crate::properties::schema::tagged;
use crate::properties::{DOCUMENT, body_schema};

pub(super) const MODES: [&str; 3] = ["FULL", "LITE", "CUSTOM"];
const SANDBOX_AVATAR: &str = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a";

/// The members of the token request, by mode.
pub(super) fn members() -> BTreeMap<&'static str, &'static Value> {
    let union = body_schema(Operation::find("create_session_token").unwrap()).unwrap();
    let members = union["oneOf"].as_array().unwrap().iter();
    let members = members.map(|member| DOCUMENT.pointer(&member["$ref"].as_str().unwrap()[1..]).unwrap());
    members.map(|member| (member["properties"]["mode"]["const"].as_str().unwrap(), member)).collect()
}

/// Makes a configuration pass the rules across fields, which random values rarely do.
fn settle(mode: &str, configuration: &mut Map<String, Value>, choice: usize) {
    let mut keep_one = |names: &[&str]| {
        let set: Vec<_> =
            names.iter().filter(|name| configuration.get(**name).is_some_and(|v| !v.is_null())).collect();
        for (index, name) in set.iter().enumerate() {
            if index != choice % set.len() {
                configuration.remove(**name);
            }
        }
        set.len()
    };
    if mode == "FULL" {
        if keep_one(&["avatar_persona", "voice_agent"]) == 0 {
            configuration.insert("avatar_persona".to_owned(), json!({}));
        }
        if configuration.get("voice_agent").is_some_and(Value::is_object) {
            configuration.remove("dynamic_variables");
        }
    } else {
        keep_one(&["livekit_config", "agora_config"]);
        keep_one(&["elevenlabs_agent_config", "openai_realtime_config", "gemini_realtime_config"]);
    }
    if mode == "CUSTOM" && configuration.get("livekit_config").is_none_or(Value::is_null) {
        let room = json!({ "livekit_url": "", "livekit_room": "", "livekit_client_token": "" });
        configuration.insert("livekit_config".to_owned(), room);
        configuration.remove("agora_config");
    }
    let sandbox = configuration.get("is_sandbox") == Some(&Value::Bool(true));
    if sandbox {
        configuration.insert("avatar_id".to_owned(), SANDBOX_AVATAR.into());
    }
    if let Some(seconds) = configuration.get("max_session_duration").and_then(Value::as_i64)
        && (seconds < 1 || sandbox && seconds > 60)
    {
        configuration.insert("max_session_duration".to_owned(), json!(60));
    }
}

/// A mistake that a person or a program may make in a configuration.
#[derive(Clone, Debug)]
enum Mutation {
    /// Any edit in any place.
    Edit(Edit),
    /// Copies a top-level field from another configuration of any mode.
    Borrow(Value, Index),
    /// Sets fields to values that rules are about.
    Overlay(Value),
    Remove(&'static str),
}

/// Values on both sides of the limits, and fields of other objects and modes.
fn boundaries() -> Vec<Mutation> {
    let compact = SANDBOX_AVATAR.replace('-', "");
    let variables = |count: usize, key: usize, value: usize| -> Value {
        (0..count)
            .map(|index| (format!("{index:0>key$}"), "ü".repeat(value).into()))
            .collect::<Map<_, _>>()
            .into()
    };
    let of = |name: &str, values: Value| -> Vec<Value> {
        values.as_array().into_iter().flatten().map(|value| json!({ name: value })).collect()
    };
    let persona = |persona: Value| json!({ "avatar_persona": persona, "voice_agent": null });
    let agent = json!({ "id": SANDBOX_AVATAR, "dynamic_variables": variables(1, 1, 1) });
    let overlays = [
        of("mode", json!(["FULL", "LITE", "CUSTOM", "lite", null, 7])),
        of("is_sandbox", json!([true, false, "true"])),
        of("avatar_id", json!([SANDBOX_AVATAR, compact, format!("urn:uuid:{SANDBOX_AVATAR}"), "Wayne"])),
        of("max_session_duration", json!([0, 1, 60, 61, 60.0, 60.5, 1e300, u64::MAX])),
        of("avatar_persona", json!([null, {}])),
        vec![
            persona(json!({ "llm_settings": {} })),
            persona(json!({ "llm_settings": { "model": "m" } })),
            persona(json!({ "llm_settings": { "provider": "openai" } })),
            persona(json!({ "voice_settings": {} })),
            persona(json!({ "voice_settings": { "provider": "fish", "stability": 1 } })),
            persona(json!({ "voice_settings": { "provider": "elevenLabs", "speed": 2 } })),
            persona(json!({ "voice_settings": { "provider": "azure" } })),
            // These name no vendor, but have a value of only one.
            persona(json!({ "voice_settings": { "model": "s2" } })),
            persona(json!({ "voice_settings": { "model": "eleven_flash_v2_5" } })),
        ],
        of("voice_agent", json!([null, { "id": SANDBOX_AVATAR }, { "id": "a" }])),
        vec![
            json!({ "avatar_persona": null, "voice_agent": agent }),
            json!({ "avatar_persona": null, "voice_agent": agent, "dynamic_variables": {} }),
            json!({ "avatar_persona": null, "voice_agent": agent, "dynamic_variables": variables(1, 1, 1) }),
        ],
        of("dynamic_variables", json!([variables(50, 64, 1000), variables(51, 2, 1)])),
        of("dynamic_variables", json!([variables(1, 65, 1), variables(1, 1, 1001)])),
        of("livekit_config", json!([null, {}])),
        of(
            "agora_config",
            json!([{ "agora_app_id": "", "agora_token": "", "agora_channel": "", "agora_uid": "" }]),
        ),
        of("openai_realtime_config", json!([{ "secret_id": SANDBOX_AVATAR }, { "temperature": 0.5 }])),
        of("gemini_realtime_config", json!([{ "secret_id": SANDBOX_AVATAR, "temperature": 3 }])),
        of("issandbox", json!([true])),
        of("voice_id", json!([SANDBOX_AVATAR])),
    ];
    let removals =
        ["mode", "avatar_id", "livekit_config", "avatar_persona", "voice_agent"].map(Mutation::Remove);
    overlays.into_iter().flatten().map(Mutation::Overlay).chain(removals).collect()
}

fn mutate(configuration: &mut Value, mutation: &Mutation) {
    if let Mutation::Edit(edit) = mutation {
        return edit.apply(configuration);
    }
    let Some(object) = configuration.as_object_mut() else { return };
    match mutation {
        Mutation::Edit(_) => {}
        Mutation::Borrow(other, at) => {
            let fields: Vec<_> = other.as_object().unwrap().iter().collect();
            let (name, value) = *at.get(&fields);
            object.insert(name.clone(), value.clone());
        }
        Mutation::Overlay(values) => object.extend(values.as_object().unwrap().clone()),
        Mutation::Remove(name) => drop(object.remove(*name)),
    }
}

/// Configurations of all modes: valid, nearly valid, and invalid.
pub(super) fn drafts() -> impl Strategy<Value = Value> {
    let members = members();
    let of_mode = MODES.map(|mode| {
        // CUSTOM is sent as LITE, so it has the fields of either.
        let schema =
            if mode == "CUSTOM" { select(vec!["CUSTOM", "LITE"]).boxed() } else { Just(mode).boxed() };
        let members = members.clone();
        let settled = proptest::option::weighted(0.8, any::<Index>());
        let fields = schema.prop_flat_map(move |schema| tagged(members[schema]));
        (fields, settled).prop_map(move |(mut fields, settled)| {
            let object = fields.as_object_mut().unwrap();
            object.insert("mode".to_owned(), mode.into());
            if let Some(choice) = settled {
                settle(mode, object, choice.index(usize::MAX));
            }
            fields
        })
    });
    let [full, lite, custom] = of_mode.map(Strategy::boxed);
    let whole = prop_oneof![3 => full, 3 => lite, 1 => custom].boxed();
    let mutation = prop_oneof![
        2 => edit().prop_map(Mutation::Edit),
        1 => (whole.clone(), any::<Index>()).prop_map(|(other, at)| Mutation::Borrow(other, at)),
        3 => select(boundaries()),
    ];
    let mutations = prop_oneof![2 => vec(mutation.clone(), 0..=1), 1 => vec(mutation, 2..=3)];
    (whole, mutations).prop_map(|(mut configuration, mutations)| {
        for mutation in &mutations {
            mutate(&mut configuration, mutation);
        }
        configuration
    })
}
