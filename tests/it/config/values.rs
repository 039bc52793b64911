//! Types, allowed values and ranges.

use super::bases::{full, lite, persona};
use super::{Case, cases};

cases! {
    "missing-field", "avatar missing", lite, {"avatar_id": "$GONE"};
    "null-not-allowed", "avatar null", lite, {"avatar_id": null};
    "not-a-uuid", "avatar name instead of its id", lite, {"avatar_id": "Wayne_20240711"};
    "not-a-uuid", "secret instead of its id", lite, {"openai_realtime_config": {"secret_id": "sk-1"}};
    "wrong-type", "quoted values", lite, {"is_sandbox": "true", "max_session_duration": "60"};
    "wrong-type", "unquoted values", full, {"voice_agent": {"dynamic_variables": {"age": 7, "n": null}}};
    "wrong-type", "objects as text", full, {"voice_agent": "a", "video_settings": [], "memory": 1};
    "wrong-type", "fraction of a second", lite, {"max_session_duration": 1.5};
    "null-not-allowed", "null in fields that are not nullable", full,
        {"is_sandbox": null, "interactivity_type": null};
    "null-not-allowed", "required field null", lite,
        {"agora_config": "$CHANNEL", "is_sandbox": true, "avatar_id": null};
    "not-allowed-value", "value misspelt", lite, {"video_settings": {"quality": "hihg", "encoding": "h264"}};
    "not-allowed-value", "value from a guide", lite, {"video_settings": {"quality": "1080p"}};
    "not-allowed-value", "misspelt value of many", lite,
        {"gemini_realtime_config": {"secret_id": "$ID", "voice": "puk"}};
    "not-allowed-value", "unknown value of many", lite,
        {"openai_realtime_config": {"secret_id": "$ID", "voice": "x"}};
    "not-allowed-value", "only one allowed value", persona,
        {"avatar_persona": {"llm_settings": {"provider": "anthropic", "model": "m"}}};
    "missing-field", "voice vendor missing", persona,
        {"avatar_persona": {"voice_settings": {"speed": 3, "stability": 0.5, "zzz": 1}}};
    "not-allowed-value", "voice vendor misspelt", persona,
        {"avatar_persona": {"voice_settings": {"provider": "elevenlabs", "stability": 2}}};
    "not-allowed-value", "voice vendor unknown", persona,
        {"avatar_persona": {"voice_settings": {"provider": "azure", "stability": 2}}};
    "wrong-type", "voice settings as text", persona, {"avatar_persona": {"voice_settings": "fish"}};
    "out-of-range", "out of range", lite,
        {"openai_realtime_config": {"secret_id": "$ID", "temperature": 0.5}};
    "missing-field", "incomplete model settings", persona,
        {"avatar_persona": {"llm_settings": {"model": "gpt-4o"}}};
    "missing-field", "incomplete agora config", lite, {"agora_config": {"agora_app_id": "a"}};
    "wrong-type", "connector value of the wrong type", lite,
        {"elevenlabs_agent_config": {"secret_id": "$ID", "agent_id": "a", "dynamic_variables": {"a": [],
         "b": null}}};
}
