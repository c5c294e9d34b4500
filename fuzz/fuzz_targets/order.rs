//! What a parent tells its render child: frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| worker::child::fuzzing::order(data));
