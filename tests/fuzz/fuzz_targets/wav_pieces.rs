#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| liveavatar_fuzz::audio::wav_pieces(input));
