//! Any dialogue through the dissector of imap, past its probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::dialogue::<weir_dissect::imap::Imap>(data));
