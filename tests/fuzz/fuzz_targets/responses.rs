#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| liveavatar_fuzz::responses::responses(input));
