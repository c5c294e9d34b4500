//! What a render child tells its parent: a message up to the first zero byte, then the output file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| worker::child::fuzzing::reply(data));
