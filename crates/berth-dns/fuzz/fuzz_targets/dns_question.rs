//! Messages of containers: whatever comes, what is answered is no longer than the client takes, is about what it asked, and
//! can be read again.

#![cfg_attr(not(test), no_main)]

use berth_dns::Table;
use berth_dns::message::{Answer, Code, HEADER, Name, Query, Unfit, fits, kind, reply};
use berth_dns::record::{Joined, Names};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let query = match Query::parse(bytes) {
        Ok(query) => query,
        // A header alone: nobody is sent more than he sent.
        Err(Unfit::Answer(answer)) => {
            return assert!(answer.len() == HEADER && HEADER <= bytes.len());
        }
        Err(Unfit::Noise) => return,
    };
    let name = &query.question.name;
    // The root has no text that could be a container's name.
    if let Some(text) = name.text().filter(|text| !text.is_empty()) {
        assert_eq!(Name::of(&text).as_ref(), Some(name));
    }
    let (table, joined) = table(name);
    let known = table.answer(&joined, &query.question, bytes.len());
    let many = vec![Answer::Address([10, 9, 0, 2].into()); 40];
    for answers in [known.unwrap_or_default(), many] {
        let answer = reply(&query, Code::NoError, &answers, query.limit());
        assert!(answer.len() <= query.limit());
        assert_eq!(fits(&answer, query.id, &query), Some(Code::NoError as u16));
        // As if it were asked: without the bit that says that it is an answer, which is not cut off.
        let again = [
            &answer[..2],
            &[answer[2] & 1, answer[3] & 0x10],
            &answer[4..],
        ]
        .concat();
        let again = Query::parse(&again).expect("it is written by us");
        assert_eq!(again.question, query.question);
        assert_eq!(again.edns.is_some(), query.edns.is_some());
    }
}

/// Somebody has the name that is asked for, or its first label is his.
fn table(asked: &Name) -> (Table, Vec<Joined>) {
    let whole = asked.text().unwrap_or_default();
    let first = whole.split('.').next().unwrap_or_default();
    let names = Names {
        schema: 1,
        names: vec![first.to_owned(), whole.clone()],
        addresses: ["10.9.0.2", "fd00::2"]
            .map(|text| text.parse().expect("an address"))
            .into(),
    };
    let mut table = Table::default();
    table.set("ab", "web", names);
    let network = Joined {
        id: "ab".to_owned(),
        name: whole
            .split_once('.')
            .map_or("front", |(_, of)| of)
            .to_owned(),
        links: [("db".to_owned(), first.to_owned())].into(),
    };
    let joined = vec![network];
    let asked = berth_dns::message::Question {
        name: asked.clone(),
        kind: kind::A,
        class: berth_dns::message::INTERNET,
    };
    if !whole.is_empty() && asked.name.address().is_none() {
        let found = table.answer(&joined, &asked, 0).expect("it has the name");
        assert_eq!(found, [Answer::Address([10, 9, 0, 2].into())]);
    }
    (table, joined)
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
