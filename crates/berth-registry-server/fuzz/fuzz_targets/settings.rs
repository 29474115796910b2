//! Configurations: whatever stands in the file, it is taken, or the error names a line of it.

#![cfg_attr(not(test), no_main)]

use std::path::Path;

use berth_registry_server::Config;
use berth_registry_server::setup::Error;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Config::parse(text, Path::new("/base")) {
        Ok(config) => {
            config.concerns();
            assert!((1..=1000).contains(&config.settings.limits.page_entries));
            assert!(config.root.is_absolute());
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            error.hint();
            if let Error::ParseConfig {
                line: Some(line), ..
            } = error
            {
                assert!(line <= 1 + text.matches('\n').count());
            }
        }
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
