//! Any text as the configuration file: it is taken or refused in words, and what is taken makes methods.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::config::Config;

fuzz_target!(|text: &str| {
    match Config::parse(text, "weir.toml".as_ref()) {
        Ok(config) => {
            assert!((1..=16).contains(&config.shards));
            config.instances(true).expect("checked when it was read");
            config.instances(false).expect("blind submethods are no error");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
