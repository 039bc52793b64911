//! The crate's public items, reviewed as snapshots: what a changed document means for Rust callers.

use xtask::documents;
use xtask::surface;
use xtask::surface::PublicItem;

fn lines(items: &[PublicItem]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_generated_items_are_the_reviewed_ones() {
    let text = std::fs::read_to_string(documents::root().join(documents::LOWERED)).unwrap();
    let items = surface::generated(&serde_json::from_str(&text).unwrap()).unwrap();
    insta::assert_snapshot!(lines(&items));
}

#[test]
fn the_handwritten_items_are_the_reviewed_ones() {
    let items = surface::handwritten(&documents::root().join("liveavatar-api/src")).unwrap();
    insta::assert_snapshot!(lines(&items));
}

#[test]
fn the_items_of_the_mock_are_the_reviewed_ones() {
    let items = surface::handwritten(&documents::root().join("liveavatar-api/mock/src")).unwrap();
    insta::assert_snapshot!(lines(&items));
}
