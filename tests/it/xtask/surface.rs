//! The crate's public items, reviewed as snapshots: what a changed document means for Rust callers.

use xtask::documents;
use xtask::surface;
use xtask::surface::PublicItem;

use super::committed;

fn lines(items: &[PublicItem]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_generated_items_are_the_reviewed_ones() {
    let items = surface::generated(&committed(documents::LOWERED)).unwrap();
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
