//! Any dialogue the way of the meter: every dissector probes, the one that fits is fed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::session(data));
