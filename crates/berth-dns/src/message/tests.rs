//! Messages: what is read, what is answered, and what anybody may send.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

/// A question for `A`, with or without EDNS.
pub(crate) fn ask(name: &str, kind: u16, edns: Option<u16>) -> Vec<u8> {
    let mut bytes = vec![
        0x12,
        0x34,
        1,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        u8::from(edns.is_some()),
    ];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    if let Some(size) = edns {
        bytes.extend([0, 0, 41]);
        bytes.extend(size.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

fn query(name: &str) -> Query {
    Query::parse(&ask(name, kind::A, None)).unwrap()
}

/// What a name server says of a name that is not: the record of `example`, its names compressed.
fn denial(name: &str, ttl: u32, minimum: u32) -> Vec<u8> {
    let mut bytes = ask(name, kind::A, None);
    bytes[2] |= 0x80;
    bytes[3] = 0x83;
    bytes[9] = 1;
    let zone = (bytes.len() - 4 - 9) as u8;
    bytes.extend([0xc0, zone, 0, 6, 0, 1]);
    bytes.extend(ttl.to_be_bytes());
    bytes.extend([0, 27]);
    bytes.extend([2, b'n', b's', 0xc0, zone, 0xc0, zone]);
    bytes.extend([0; 16]);
    bytes.extend(minimum.to_be_bytes());
    bytes
}

#[test]
fn a_question_is_read() {
    let query = Query::parse(&ask("Web.Front", kind::AAAA, Some(1400))).unwrap();
    assert_eq!(query.question.name.text().as_deref(), Some("web.front"));
    assert_eq!(
        (query.id, query.question.kind, query.limit()),
        (0x1234, kind::AAAA, 1400)
    );
    assert_eq!(&query.written[..5], b"\x03Web\x05");
    for (edns, limit) in [(None, 512), (Some(9), 512), (Some(65000), LARGE)] {
        assert_eq!(Query::parse(&ask("x", 1, edns)).unwrap().limit(), limit);
    }
}

#[test]
fn what_is_no_question_is_refused_or_passed_over() {
    let good = ask("web", kind::A, None);
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Query::parse(&bytes)
    };
    assert_eq!(with(2, 0x81), Err(Unfit::Noise), "an answer");
    assert_eq!(Query::parse(&good[..11]), Err(Unfit::Noise));
    let codes = [
        (2, 0x28, 4),
        (5, 0, 1),
        (5, 2, 1),
        (12, 64, 1),
        (12, 0xc0, 1),
        (12, 62, 1),
        (7, 1, 1),
        (11, 1, 1),
    ];
    for (at, value, code) in codes {
        let Err(Unfit::Answer(answer)) = with(at, value) else {
            panic!("{at} {value}");
        };
        assert_eq!(
            (answer[3] & 0xf, answer.len()),
            (code, HEADER),
            "{at} {value}"
        );
        assert_eq!(answer[..2], good[..2]);
    }
    let mut twice = ask("web", kind::A, Some(512));
    twice[11] = 2;
    twice.extend_from_within(twice.len() - 11..);
    assert!(matches!(Query::parse(&twice), Err(Unfit::Answer(_))));
}

#[test]
fn pointers_lead_back_only() {
    let mut bytes = vec![0; HEADER];
    bytes.extend(b"\x03net\x00\x03web\xc0\x0c");
    let (name, end) = Name::read(&bytes, 17).unwrap();
    assert_eq!((name.text().as_deref(), end), (Some("web.net"), 23));
    for target in [16, 17, 21, 23, 11, 0] {
        let mut bytes = bytes.clone();
        bytes[22] = target;
        let read = Name::read(&bytes, 17).map(|(name, _)| name.bytes().len());
        assert_eq!(read, (target == 16).then_some(5), "{target}");
    }
    let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
    assert_eq!(
        Name::read(&[&[0; HEADER][..], &long, b"\0"].concat(), HEADER),
        None
    );
}

#[test]
fn names_of_addresses() {
    let cases = [
        ("2.0.9.10.in-addr.arpa", Some("10.9.0.2")),
        ("2.0.9.10.IN-ADDR.arpa", Some("10.9.0.2")),
        ("0.9.10.in-addr.arpa", None),
        ("1.2.0.9.10.in-addr.arpa", None),
        ("300.0.9.10.in-addr.arpa", None),
        ("web", None),
    ];
    for (name, address) in cases {
        let address = address.map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(Name::of(name).unwrap().address(), address, "{name}");
    }
    let six: IpAddr = "fd00::2".parse().unwrap();
    let zeros = "0.".repeat(27);
    let name = format!("2.{zeros}0.0.d.f.ip6.arpa");
    assert_eq!(Name::of(&name).unwrap().address(), Some(six));
    assert_eq!(Name::of(&format!("0.{name}")).unwrap().address(), None);
}

#[test]
fn an_answer_too_long_for_udp_says_so() {
    let query = Query::parse(&ask("web", kind::A, Some(600))).unwrap();
    let many: Vec<Answer> = (0..60)
        .map(|n| Answer::Address(IpAddr::from([10, 0, 0, n])))
        .collect();
    let short = reply(&query, Code::NoError, &many, query.limit());
    assert!(
        short.len() <= 600 && short.len() > 560 && short[2] & 2 != 0,
        "{}",
        short.len()
    );
    assert_eq!(
        usize::from(number(&short, 6).unwrap()),
        (600 - 11 - 21) / 16
    );
    let whole = reply(&query, Code::NoError, &many, MAX);
    assert_eq!((number(&whole, 6), whole[2] & 2), (Some(60), 0));
}

#[test]
fn only_what_was_asked_is_answered() {
    let asked = query("gone.example");
    let answer = denial("gone.example", 300, 300);
    assert_eq!(fits(&answer, 0x1234, &asked), Some(3));
    assert_eq!(fits(&answer, 0x1235, &asked), None, "another id");
    assert_eq!(
        fits(&answer, 0x1234, &query("gone.exbmple")),
        None,
        "another name"
    );
    assert_eq!(
        fits(&ask("gone.example", kind::A, None), 0x1234, &asked),
        None,
        "a question"
    );
    let bare = |code| [0x12, 0x34, 0x80, code, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(fits(&bare(1), 0x1234, &asked), Some(1));
    assert_eq!(fits(&bare(0), 0x1234, &asked), None);
}

#[test]
fn what_is_not_there_is_known_for_a_minute_at_most() {
    let asked = query("gone.example");
    for (ttl, minimum, holds) in [(300, 300, 60), (300, 5, 5), (7, 300, 7), (0, 9, 0)] {
        let answer = denial("gone.example", ttl, minimum);
        let found = negative(&answer, &asked).unwrap();
        assert_eq!((found.ttl, found.code), (holds, Code::NxDomain));
        let again = found.reply(&asked, 3);
        assert_eq!(fits(&again, 0x1234, &asked), Some(3));
        let same = negative(&again, &asked).unwrap();
        assert_eq!(same.ttl, 3.min(minimum));
    }
    let mut broken = denial("gone.example", 300, 300);
    assert_eq!(
        negative(&broken, &query("gone.elsewhere")),
        None,
        "another zone's word"
    );
    broken[2] |= 2;
    assert_eq!(negative(&broken, &asked), None, "cut off");
    let signed = Query::parse(&{
        let mut bytes = ask("gone.example", kind::A, Some(1232));
        let flags = bytes.len() - 4;
        bytes[flags] = 0x80;
        bytes
    });
    assert_eq!(
        negative(&denial("gone.example", 9, 9), &signed.unwrap()),
        None
    );
}

proptest! {
    /// Whatever comes is read to an end, and what is answered can be read by whoever asked.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), begin in any::<bool>()) {
        let mut bytes = bytes;
        if begin {
            let good = ask("web.front", kind::A, Some(1232));
            let length = bytes.len().min(good.len());
            bytes[..length / 2].copy_from_slice(&good[..length / 2]);
        }
        match Query::parse(&bytes) {
            Ok(query) => {
                let answer = reply(&query, Code::NoError, &[Answer::Address([10, 0, 0, 1].into())], query.limit());
                prop_assert_eq!(fits(&answer, query.id, &query), Some(0));
                let _ = (negative(&bytes, &query), truncated(&query, &bytes));
            }
            Err(Unfit::Answer(answer)) => prop_assert_eq!(answer.len(), HEADER),
            Err(Unfit::Noise) => {}
        }
    }

    /// A name server's answer, changed at some places: never a panic, never more than a minute.
    #[test]
    fn changed_answers(changes in proptest::collection::vec((0_usize..80, any::<u8>()), 0..6)) {
        let asked = query("gone.example");
        let mut bytes = denial("gone.example", 300, 300);
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let _ = fits(&bytes, 0x1234, &asked);
        if let Some(found) = negative(&bytes, &asked) {
            prop_assert!(found.ttl <= 60);
            let again = found.reply(&asked, found.ttl);
            prop_assert!(fits(&again, 0x1234, &asked).is_some());
        }
    }
}
