//! Ids of commands.

/// Returns a random version 4 UUID.
pub(super) fn new_event_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid().to_string()
}
