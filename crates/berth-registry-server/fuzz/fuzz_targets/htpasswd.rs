//! Files of users: a file is good if each of its lines is, and has the users that they name.

#![cfg_attr(not(test), no_main)]

use berth_registry_server::auth::htpasswd::{Users, parse_line};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let lines: Vec<_> = text.lines().map(parse_line).collect();
    match Users::parse(text) {
        Ok(users) => {
            for line in lines {
                let Some((user, _)) = line.expect("the file is good") else {
                    continue;
                };
                assert!(!user.is_empty() && !user.contains(':'));
                assert!(users.get(user).is_some(), "{user}");
            }
        }
        Err((number, bad)) => {
            let first = lines.iter().position(Result::is_err);
            assert_eq!(first, Some(number - 1));
            assert_eq!(lines[number - 1], Err(bad));
        }
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
