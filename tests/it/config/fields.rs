//! The mode, and fields that the service does not read.

use super::bases::{custom, full, lite, persona};
use super::{Case, cases};

cases! {
    "mode-unknown", "mode in lower case", lite, {"mode": "lite", "avatar_id": "x"};
    "mode-unknown", "mode of another service", persona, {"mode": "INTERACTIVE"};
    "null-not-allowed", "mode is null", full, {"mode": null};
    "wrong-type", "mode is a number", lite, {"mode": 1, "is_sandbox": "true"};
    "mode-missing", "mode omitted with a persona", persona, {"mode": "$GONE", "voice_id": "$ID"};
    "mode-missing", "mode omitted in LITE", lite, {"mode": "$GONE", "livekit_config": {"url": "u"}};
    "mode-missing", "mode omitted with fields of both modes", persona,
        {"mode": "$GONE", "livekit_config": "$ROOM"};
    "mode-missing", "mode omitted and voice agent null", lite, {"mode": "$GONE", "voice_agent": null};
    // Fields that the service does not read.
    "unknown-field", "misspelt", full, {"issandbox": true, "interactivty_type": "PUSH_TO_TALK"};
    "unknown-field", "camel case", lite, {"avatar_id": "$GONE", "avatarId": "$ID", "isSandbox": true};
    "unknown-field", "words of the name in another order", full,
        {"sandbox": true, "duration": 60, "voice_agent_id": "$ID"};
    "unknown-field", "video fields at the top level", lite,
        {"video_quality": "high", "video_encoding": "H264"};
    "unknown-field", "persona names of the older product", persona,
        {"voice": {}, "knowledge_id": "k", "avatar_name": "n"};
    "misplaced-field", "persona fields at the top level", persona,
        {"voice_id": "$ID", "context_id": "$ID", "language": "de", "llm_settings": {"model": "gpt-4o"}};
    "misplaced-field", "language next to a voice agent", full, {"language": "de"};
    "misplaced-field", "persona field without persona", full, {"stt_config": {"provider": "deepgram"}};
    "misplaced-field", "LLM configuration in the persona", persona,
        {"avatar_persona": {"llm_configuration_id": "$ID"}};
    "misplaced-field", "variables in the persona", persona,
        {"avatar_persona": {"dynamic_variables": {"a": "b"}}};
    "misplaced-field", "field of the other voice vendor", persona,
        {"avatar_persona": {"voice_settings": {"provider": "fish", "stability": 0.5, "sped": 1}}};
    "unknown-field", "misspelt in a nested object", persona,
        {"avatar_persona": {"voice_settings": {"provider": "elevenLabs", "similarty_boost": 0.5}}};
    "unknown-field", "LiveKit names of a guide", lite,
        {"livekit_config": {"url": "u", "token": "t", "room": "r"}};
    "unknown-field", "Agora names of a guide", lite,
        {"agora_config": {"app_id": "a", "channel": "c", "token": "t", "uid": "1"}};
    "unknown-field", "no similar name", full, {"zzz": 1, "x.y": 2, "voice_agent": {"qqq": 1}};
    "misplaced-field", "ids in LITE", lite, {"id": "$ID", "voice_id": "$ID", "context_id": "$ID"};
    "misplaced-field", "persona fields next to a voice agent", full,
        {"voice_id": "$ID", "voice_settings": {}};
    // Fields of the other mode.
    "unknown-field", "null for a field of the other mode", lite, {"voice_agent": null, "zzz": null};
    "wrong-mode-field", "LiveKit room in FULL", full, {"livekit_config": "$ROOM"};
    "wrong-mode-field", "LiveKit room fields in FULL", full, {"livekit_url": "u", "livekit_token": "t"};
    "wrong-mode-field", "FULL fields in LITE", lite,
        {"avatar_persona": {}, "voice_agent": {}, "interactivity_type": "PUSH_TO_TALK",
         "llm_configuration_id": "$ID", "dynamic_variables": {}, "memory": {}, "language": "de"};
    "wrong-mode-field", "FULL fields in CUSTOM", custom, {"voice_agent": {"id": "$ID"}, "stt_config": {}};
    "misplaced-field", "variables next to a connector", lite,
        {"elevenlabs_agent_config": {"secret_id": "$ID", "agent_id": "a"}, "dynamic_variables": {}};
}
