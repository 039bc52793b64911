//! Decoding of responses.

use liveavatar_api::raw::OPERATIONS;
use liveavatar_tests::{decode, round_trip};

use super::{choose, split_line};

/// Decodes a response: the first line names the operation, the rest is the body.
pub fn responses(input: &[u8]) {
    let (line, response) = split_line(input);
    let operation = choose(line, OPERATIONS, |operation| operation.id).id;
    match decode(operation, response) {
        None | Some(Ok(_)) => {}
        Some(Err(shown)) => {
            assert!(!shown.contains("canary"), "{operation}: the error repeats the response: {shown}");
        }
    }
    if let Some(Ok([once, twice])) = round_trip(operation, response) {
        assert_eq!(once, twice, "{operation}: the data changes in a round trip");
    }
}
