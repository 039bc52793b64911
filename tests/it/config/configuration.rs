//! Building, reading and writing configurations.

use liveavatar_api::session::{
    AnyConfiguration, CustomSession, Diagnostic, FullSession, LiteSession, ModeName,
};
use liveavatar_api::{OpenEnum, types};
use serde_json::json;

use crate::session::{ID, custom, full, lite, room};

#[test]
fn a_configuration_is_built_only_if_every_rule_holds() {
    let diagnostics = FullSession::builder()
        .avatar_id(ID)
        .is_sandbox(true)
        .max_session_duration(600)
        .avatar_persona(types::AvatarPersona::builder())
        .voice_agent(types::VoiceAgentRef::builder().id(ID))
        .build();
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
    let diagnostics = CustomSession::builder().avatar_id(ID).build();
    insta::assert_snapshot!(diagnostics.unwrap_err(), @"
    error[custom-needs-livekit] livekit_config: is required in CUSTOM
      hint: add the room, or use LITE, the name of this mode since February 2026
    ");
    let diagnostics = LiteSession::builder().avatar_id("Anna_public_3").build();
    insta::assert_snapshot!(diagnostics.unwrap_err(), @"
    error[not-a-uuid] avatar_id: is not a UUID
      hint: avatar names of the older HeyGen product are not ids; GET /v1/avatars/public and GET /v1/avatars list the ids
    ");
    let diagnostics = LiteSession::builder().build();
    insta::assert_snapshot!(diagnostics.unwrap_err(), @"
    error[missing-field] avatar_id: is required
      hint: GET /v1/avatars/public and GET /v1/avatars list the ids
    ");
}

#[test]
fn the_mode_may_be_omitted_only_with_a_voice_agent() {
    let without_mode = FullSession::builder().avatar_id(ID).mode(None::<&str>);
    let derived = without_mode.clone().voice_agent(types::VoiceAgentRef::builder().id(ID)).build().unwrap();
    assert_eq!(serde_json::to_value(derived.body()).unwrap().get("mode"), None);
    let diagnostics = without_mode.build().unwrap_err();
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
    insta::assert_snapshot!(FullSession::from_json(&text).unwrap_err(), @"
    error[mode-unknown] mode: must be FULL, but the configuration is for LITE
      hint: read it as `AnyConfiguration`, or change its `mode`
    ");
}

#[test]
fn custom_with_its_legacy_name_accepts_only_the_fields_of_the_early_request() {
    let configuration =
        CustomSession::builder().avatar_id(ID).livekit_config(room()).max_session_duration(60).build();
    insta::assert_snapshot!(configuration.unwrap().with_legacy_name().unwrap_err(), @"
    error[wrong-mode-field] max_session_duration: is not a field of the early CUSTOM request
      hint: remove it, or send the request as LITE
    ");
}

#[test]
fn a_whole_number_may_have_a_fraction_of_zero() {
    let text = json!({ "mode": "LITE", "avatar_id": ID, "max_session_duration": 60.0 }).to_string();
    let configuration = LiteSession::from_json(&text).unwrap();
    assert_eq!(serde_json::to_value(configuration.body()).unwrap()["max_session_duration"], json!(60));
}

#[test]
fn code_and_json_are_reported_in_the_same_words() {
    let built = FullSession::builder()
        .avatar_id("wayne")
        .avatar_persona(
            types::AvatarPersona::builder().llm_settings(types::LlmSettings::builder()).voice_settings(
                types::ElevenLabsVoiceSettings::builder().model("eleven_flush_v2_5").speed(9),
            ),
        )
        .video_settings(types::VideoSettings::builder().quality("ultra"))
        .dynamic_variables([("a.b", "x".repeat(2000))])
        .build();
    let text = json!({
        "mode": "FULL",
        "avatar_id": "wayne",
        "avatar_persona": {
            "llm_settings": {},
            "voice_settings": { "provider": "elevenLabs", "model": "eleven_flush_v2_5", "speed": 9 },
        },
        "video_settings": { "quality": "ultra" },
        "dynamic_variables": { "a.b": "x".repeat(2000) },
    });
    let built = built.unwrap_err();
    assert_eq!(built, FullSession::from_json(&text.to_string()).unwrap_err());
    insta::assert_snapshot!(built);
}

#[test]
fn an_unlisted_value_is_an_error_as_text_and_a_warning_if_typed() {
    let gemini = types::GeminiRealtimeConfig::builder().secret_id(ID);
    let lite = LiteSession::builder().avatar_id(ID);
    let text = lite.clone().gemini_realtime_config(gemini.clone().voice("Quasar")).build().unwrap_err();
    assert_eq!(text.errors().map(Diagnostic::rule).collect::<Vec<_>>(), ["not-allowed-value"]);
    let typed = lite.gemini_realtime_config(gemini.voice(OpenEnum::other("Quasar"))).build().unwrap();
    assert_eq!(typed.warnings().iter().map(Diagnostic::rule).collect::<Vec<_>>(), ["unlisted-value"]);
    let sent = serde_json::to_value(typed.body()).unwrap();
    assert_eq!(sent["gemini_realtime_config"]["voice"], "Quasar");
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
