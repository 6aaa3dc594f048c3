//! Any dialogue through the dissector of smb, past its probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::dialogue::<weir_dissect::smb::Smb>(data));
