//! Decoding: what responses may contain, and what request bodies must.

mod random_responses;
mod responses;
