#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| liveavatar_fuzz::close_frames::close_frames(input));
