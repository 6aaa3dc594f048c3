//! Any dialogue through the dissector of pop3, past its probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::dialogue::<weir_dissect::pop3::Pop3>(data));
