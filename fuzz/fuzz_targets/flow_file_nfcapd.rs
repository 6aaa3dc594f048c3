//! Any bytes as an nfdump file.
#![no_main]

use weir_collector::files::FileKind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::flow_file(FileKind::Nfcapd, bytes));
