//! The public items, reviewed as snapshots: what a changed document means for Rust callers.
//!
//! These tests read the sources and compile none of them, so they run even if a change breaks the crate.

use xtask::documents;
use xtask::source::DocumentSource;
use xtask::surface;

#[test]
fn the_generated_items_are_the_reviewed_ones() {
    let document = DocumentSource::File(documents::root().join(documents::LOWERED)).read().unwrap();
    insta::assert_snapshot!(surface::generated(&document).unwrap());
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
