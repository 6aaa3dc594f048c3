//! Any dialogue through the dissector of modbus, past its probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::dialogue::<weir_dissect::modbus::Modbus>(data));
