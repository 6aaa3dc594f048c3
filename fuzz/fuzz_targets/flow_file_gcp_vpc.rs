//! Any bytes as a flow log of a Google Cloud VPC.
#![no_main]

use weir_collector::files::FileKind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::flow_file(FileKind::GcpVpc, bytes));
