//! Any bytes as a file of countries and systems: refused in words, or asked without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_enrich::geo::Geo;
use weir_model::Places;

fuzz_target!(|data: &[u8]| {
    let mut geo = Geo::default();
    match geo.add(data.to_vec()) {
        Ok(_) => {
            for ip in [[0_u8; 4].into(), [198, 51, 100, 7].into(), [0xff_u8; 16].into()] {
                geo.place(ip);
                geo.as_name(ip);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
