//! Any text as a filter: taken or refused in words, and what is taken prints as text that means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_query::{Catalog, NoLists, parse};

fuzz_target!(|text: &str| {
    match parse(text, Catalog::flows(), &NoLists) {
        Ok(filter) => {
            let printed = filter.to_string();
            let again = parse(&printed, Catalog::flows(), &NoLists).expect("what was printed is taken");
            assert_eq!(again.to_string(), printed);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
