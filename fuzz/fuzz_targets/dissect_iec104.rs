//! Any dialogue through the dissector of iec104, past its probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::dialogue::<weir_dissect::iec104::Iec104>(data));
