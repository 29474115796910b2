//! Messages of name servers: what is kept of one is kept for a minute at most, and means the same to the next who asks.

#![cfg_attr(not(test), no_main)]

use berth_dns::message::{HEADER, Query, fits, negative, truncated};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return;
    };
    let [a, b, ..] = *header;
    // Whoever asked this could be answered so.
    let asked = [&[a, b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], rest].concat();
    let Ok(query) = Query::parse(&asked) else {
        return;
    };
    let Some(code) = fits(bytes, query.id, &query) else {
        return;
    };
    assert_eq!(fits(bytes, query.id.wrapping_add(1), &query), None);
    let short = truncated(&query, bytes);
    assert!(short.len() <= query.limit());
    assert_eq!(fits(&short, query.id, &query), Some(code));
    let Some(known) = negative(bytes, &query) else {
        return;
    };
    assert!(known.ttl <= 60 && known.code as u16 == code);
    let again = known.reply(&query, known.ttl);
    assert_eq!(fits(&again, query.id, &query), Some(code));
    assert_eq!(negative(&again, &query), Some(known));
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
