//! Decoding of responses, and the types of the wire format.

mod random_responses;
mod responses;
