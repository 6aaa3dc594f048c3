//! Any bytes as a flow log of an AWS VPC.
#![no_main]

use weir_collector::files::FileKind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::flow_file(FileKind::AwsVpc, bytes));
