//! The crate's public surface, reviewed as a snapshot: what a changed document means for Rust callers.

use xtask::{regen, surface};

/// One file per module keeps a review short.
#[test]
fn the_generated_surface_is_the_reviewed_one() {
    let text = std::fs::read_to_string(regen::workspace().join(regen::LOWERED)).unwrap();
    let lines = surface::generated(&serde_json::from_str(&text).unwrap()).unwrap();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_handwritten_surface_is_the_reviewed_one() {
    let lines = surface::handwritten(&regen::workspace().join("liveavatar-api/src")).unwrap();
    insta::assert_snapshot!(lines.join("\n"));
}
