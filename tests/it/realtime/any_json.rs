//! Arbitrary JSON for the decoders.

use proptest::prelude::*;
use serde_json::{Map, Value};

/// Makes JSON with the field names that the decoders know, in any place.
pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("event_id"),
        Just("session_id"),
        Just("source_event_id"),
        Just("task"),
        Just("id"),
        Just("text"),
        Just("audio"),
        Just("state"),
        Just("error"),
        Just("data"),
        Just("elevenlabs_event_type"),
        Just("stop_reason"),
        Just("other"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from("user_message")),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|pairs| {
                Value::from(
                    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}
