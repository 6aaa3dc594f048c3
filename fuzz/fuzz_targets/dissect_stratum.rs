//! Any dialogue through the dissector of stratum, past its probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::dialogue::<weir_dissect::stratum::Stratum>(data));
