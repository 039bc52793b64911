//! Answers of every operation, as the client reads them.

use liveavatar_api::raw::OPERATIONS;
use liveavatar_tests::{decode, round_trip};

use super::{choose, split_line};

/// A line that names an operation, then its answer: data that reads back as what it was written from, or an error that repeats nothing.
pub fn answers(input: &[u8]) {
    let (line, answer) = split_line(input);
    let operation = choose(line, OPERATIONS, |operation| operation.id).id;
    match decode(operation, answer) {
        None | Some(Ok(_)) => {}
        Some(Err(error)) => {
            let shown = format!("{error}\n{error:?}\n{error:#?}");
            assert!(!shown.contains("canary"), "{operation} repeats its answer: {shown}");
        }
    }
    if let Some(Ok([once, twice])) = round_trip(operation, answer) {
        assert_eq!(once, twice, "{operation} changes when it is read again");
    }
}
