//! Building, reading and writing configurations.

use liveavatar_api::session::{AnyConfiguration, Configuration, Custom, Full, Lite, ModeName};
use liveavatar_api::types;
use serde_json::json;

use crate::session::{ID, custom, full, lite, room};

#[test]
fn a_configuration_is_built_only_if_every_rule_holds() {
    let diagnostics = Configuration::<Full>::build(|full| {
        full.avatar_id(ID)
            .is_sandbox(true)
            .max_session_duration(600)
            .avatar_persona(Some(types::AvatarPersona::builder().try_into().unwrap()))
            .voice_agent(Some(types::VoiceAgentRef::builder().id(ID).try_into().unwrap()))
    });
    insta::assert_snapshot!(diagnostics.unwrap_err(), @"
    error[sandbox-avatar] avatar_id: is not the avatar for sandbox sessions
      hint: use `dd73ea75-1218-4ef3-92ce-606d5f7fbc0a`, or set `is_sandbox` to false
    error[persona-or-voice-agent] avatar_persona: cannot be combined with `voice_agent`
      hint: keep `voice_agent`; `avatar_persona` is deprecated
    warning[no-context] avatar_persona.context_id: is not set, so the avatar listens but does not answer
      hint: create a context with POST /v1/contexts and set its id here
    error[sandbox-duration] max_session_duration: is 600 s, but a sandbox session lasts at most 60 s
      hint: remove it
    ");
    let diagnostics = Configuration::<Custom>::build(|custom| custom.avatar_id(ID));
    insta::assert_snapshot!(diagnostics.unwrap_err(), @"
    error[custom-needs-livekit] livekit_config: is required in CUSTOM
      hint: add the room, or use LITE, the name of this mode since February 2026
    ");
    let diagnostics = Configuration::<Lite>::build(|lite| lite.avatar_id("Anna_public_3"));
    insta::assert_snapshot!(diagnostics.unwrap_err(), @"
    error[wrong-type] avatar_id: must be a UUID
      hint: GET /v1/avatars/public and GET /v1/avatars list the ids
    ");
    let diagnostics = Configuration::<Lite>::build(|lite| lite);
    insta::assert_snapshot!(diagnostics.unwrap_err(), @"
    error[missing-field] avatar_id: is required
      hint: GET /v1/avatars/public and GET /v1/avatars list the ids
    ");
}

#[test]
fn the_mode_may_be_omitted_only_with_a_voice_agent() {
    let agent: types::VoiceAgentRef = types::VoiceAgentRef::builder().id(ID).try_into().unwrap();
    let derived =
        Configuration::<Full>::build(|full| full.avatar_id(ID).mode(None).voice_agent(Some(agent))).unwrap();
    assert_eq!(serde_json::to_value(derived.body()).unwrap().get("mode"), None);
    let diagnostics = Configuration::<Full>::build(|full| full.avatar_id(ID).mode(None)).unwrap_err();
    assert!(diagnostics.errors().any(|diagnostic| diagnostic.rule() == "mode-missing"));
}

#[test]
fn a_configuration_survives_a_round_trip_through_json() {
    let texts = [
        serde_json::to_string(&full()).unwrap(),
        serde_json::to_string(&lite()).unwrap(),
        serde_json::to_string(&custom()).unwrap(),
    ];
    for text in &texts {
        let read: AnyConfiguration = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), *text);
    }
    let modes = texts.each_ref().map(|text| AnyConfiguration::from_json(text).unwrap().mode());
    assert_eq!(modes, [ModeName::Full, ModeName::Lite, ModeName::Custom]);
}

#[test]
fn a_configuration_of_another_mode_is_an_error() {
    let text = serde_json::to_string(&lite()).unwrap();
    insta::assert_snapshot!(Configuration::<Full>::from_json(&text).unwrap_err(), @"
    error[mode-unknown] mode: must be FULL, but the configuration is for LITE
      hint: read it as `AnyConfiguration`, or change its `mode`
    ");
}

#[test]
fn custom_with_its_legacy_name_accepts_only_the_fields_of_the_early_request() {
    let configuration = Configuration::<Custom>::build(|custom| {
        custom.avatar_id(ID).livekit_config(Some(room())).max_session_duration(60)
    });
    insta::assert_snapshot!(configuration.unwrap().with_legacy_name().unwrap_err(), @"
    error[wrong-mode-field] max_session_duration: is not a field of the early CUSTOM request
      hint: remove it, or send the request as LITE
    ");
}

#[test]
fn a_whole_number_may_have_a_fraction_of_zero() {
    let text = json!({ "mode": "LITE", "avatar_id": ID, "max_session_duration": 60.0 }).to_string();
    let configuration = Configuration::<Lite>::from_json(&text).unwrap();
    assert_eq!(serde_json::to_value(configuration.body()).unwrap()["max_session_duration"], json!(60));
}

#[test]
fn debug_output_of_a_configuration_contains_no_secret() {
    let shown = format!("{:?}", custom());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn each_example_file_is_what_its_name_says() {
    let folder = xtask::documents::root().join("liveavatar-api/examples");
    let mut report = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let read = AnyConfiguration::from_json(&std::fs::read_to_string(&path).unwrap());
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            report.push(match read {
                Ok(configuration) => {
                    format!("{name}: {}\n{}", configuration.mode(), configuration.warnings())
                }
                Err(diagnostics) => format!("{name}: broken\n{diagnostics}"),
            });
        }
    }
    report.sort();
    insta::assert_snapshot!(report.join("\n"));
}
