//! Any bytes as a list of indicators in the format `warninglist`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_enrich::indicator::Format;

fuzz_target!(|bytes: &[u8]| weir_fuzz::indicators(Format::Warning, bytes));
