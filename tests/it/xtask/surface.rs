//! The crate's public items, reviewed as snapshots: what a changed document means for Rust callers.

use xtask::documents;
use xtask::surface;

use super::committed;

#[test]
fn the_generated_items_are_the_reviewed_ones() {
    insta::assert_snapshot!(surface::generated(&committed(documents::LOWERED)).unwrap());
}

#[test]
fn the_handwritten_items_are_the_reviewed_ones() {
    let items = surface::handwritten(&documents::root().join("liveavatar-api/src")).unwrap();
    insta::assert_snapshot!(items.join("\n"));
}

#[test]
fn the_items_of_the_mock_are_the_reviewed_ones() {
    let items = surface::handwritten(&documents::root().join("liveavatar-api/mock/src")).unwrap();
    insta::assert_snapshot!(items.join("\n"));
}
