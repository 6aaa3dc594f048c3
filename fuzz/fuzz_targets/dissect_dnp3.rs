//! Any dialogue through the dissector of dnp3, past its probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::dialogue::<weir_dissect::dnp3::Dnp3>(data));
