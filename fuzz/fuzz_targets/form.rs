//! Multipart forms: the first line is the content type, the rest the body, in chunks of many lengths.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzzing::form(data));
