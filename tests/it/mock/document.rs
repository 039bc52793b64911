//! The operations of the document.

use liveavatar_mock::operations;

use super::harness::document;

#[test]
fn every_operation_has_a_short_name_and_a_success_status() {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let count: usize = paths.values().map(|item| item.as_object().map_or(0, serde_json::Map::len)).sum();
    assert_eq!(operations().count(), count);
    for operation in operations() {
        assert!(
            !operation.name.contains("_v1_") && !operation.name.ends_with("_v2_v2"),
            "{}",
            operation.name
        );
        assert!((200..300).contains(&operation.success), "{operation:?}");
    }
}
