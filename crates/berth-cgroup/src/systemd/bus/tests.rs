//! Peers that answer with something else than they should. The right answers come from a real
//! systemd: tests/vm.

use super::*;
use rustix::net::socketpair;

const OK: &[u8] = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";

/// A connection to a peer that has said all this already, and says no more.
fn against(said: &[&[u8]], direct: bool) -> (Result<Bus>, OwnedFd) {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    for bytes in said {
        send(&theirs, bytes, SendFlags::NOSIGNAL).unwrap();
    }
    rustix::net::shutdown(&theirs, rustix::net::Shutdown::Write).unwrap();
    let address = Address {
        name: "peer".to_owned(),
        direct,
    };
    (Bus::open(ours, &address), theirs)
}

/// An answer or signal: kind, serial that it answers, extra header fields, body.
fn message(kind: u8, reply: u32, signature: &str, body: &[u8]) -> Vec<u8> {
    let mut fields = vec![5, 1, b'u', 0];
    fields.extend(reply.to_le_bytes());
    if kind == 3 {
        fields.extend(b"\x04\x01s\0\x01\0\0\0x\0\0\0\0\0\0\0");
    }
    if !signature.is_empty() {
        fields.extend([8, 1, b'g', 0, signature.len() as u8]);
        fields.extend(signature.as_bytes());
        fields.push(0);
    }
    let mut all = vec![b'l', kind, 0, 1];
    all.extend((body.len() as u32).to_le_bytes());
    all.extend(9u32.to_le_bytes());
    all.extend((fields.len() as u32).to_le_bytes());
    all.extend(&fields);
    all.resize(all.len().next_multiple_of(8), 0);
    all.extend(body);
    all
}

fn text(text: &[u8]) -> Vec<u8> {
    let mut body = (text.len() as u32).to_le_bytes().to_vec();
    body.extend(text);
    body.push(0);
    body
}

fn why(result: Result<impl std::fmt::Debug>) -> String {
    let error = result.unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

#[test]
fn we_say_who_we_are_without_a_number() {
    let (bus, peer) = against(&[OK], true);
    bus.unwrap();
    let mut bytes = [0; 64];
    let (count, _) = recv(&peer, &mut bytes[..], RecvFlags::empty()).unwrap();
    assert_eq!(&bytes[..count], b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
}

#[test]
fn peers_that_do_not_let_us_in() {
    for (said, expected) in [
        (&b"REJECTED EXTERNAL\r\n"[..], "permission denied"),
        (b"ERROR\r\n", "does not speak"),
        (b"DATA\r\nDATA\r\n", "does not speak"),
        (b"HTTP/1.1 400 Bad Request\r\n", "does not speak"),
        (b"\xff\xfe\r\n", "does not speak"),
        (b"DATA\r\nOK 01", "unexpected end of file"),
        (b"", "unexpected end of file"),
        (&[b'x'; 2000], "too long"),
    ] {
        let told = why(against(&[said], true).0);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn answers_that_are_none() {
    let name = text(b":1.7");
    let good = message(2, 1, "s", &name);
    against(&[OK, &good], false).0.unwrap();
    let other = message(2, 7, "s", &name);
    against(&[OK, &other, &good], false).0.unwrap();

    let mut long = good.clone();
    long[4..8].copy_from_slice(&(MAX_MESSAGE as u32 + 1).to_le_bytes());
    let mut big = good.clone();
    big[0] = b'B';
    for (answer, expected) in [
        (other, "unexpected end of file"),
        (good[..20].to_vec(), "unexpected end of file"),
        (long, "too long"),
        (big, "little-endian"),
        (message(1, 1, "", &[]), "missing"),
        (message(4, 1, "", &[]), "missing"),
        (message(2, 1, "", &name), "does not match its signature"),
    ] {
        let told = why(against(&[OK, &answer], false).0);
        assert!(told.contains(expected), "{told}");
    }
}

/// What a peer says is shown without what moves a cursor, and not at any length.
#[test]
fn an_errors_text_is_made_legible() {
    let mut long = b"no\x1b[2J\nunit ".to_vec();
    long.extend([b'x'; 5000]);
    let answer = message(3, 1, "s", &text(&long));
    let told = why(against(&[OK, &answer], false).0);
    assert!(
        told.starts_with("ask systemd for Hello: no [2J unit xxx"),
        "{told}"
    );
    assert!(told.len() < 400 && !told.contains('\x1b'), "{told}");
    // A body that is not what its signature says.
    let answer = message(3, 1, "s", &[0xff; 4]);
    let told = why(against(&[OK, &answer], false).0);
    assert!(told.starts_with("ask systemd for Hello:  (x)"), "{told}");
}

#[test]
fn addresses() {
    let names = |text: &str| -> Vec<String> {
        let all = Address::parse(text);
        assert!(all.iter().all(|address| !address.direct));
        all.into_iter().map(|address| address.name).collect()
    };
    assert_eq!(
        names("unix:path=/run/user/1000/bus"),
        ["/run/user/1000/bus"]
    );
    assert_eq!(
        names("tcp:host=x;unix:guid=1,abstract=/tmp/dbus-a;unix:path=/a%20b,guid=2"),
        ["@/tmp/dbus-a", "/a b"]
    );
    assert!(names("").is_empty() && names("unix:path=%2").is_empty());
    assert!(names("unix:runtime=yes;unix:path=%zz").is_empty());
}

#[test]
fn nobody_listens() {
    let dir = std::env::temp_dir().join(format!("berth-no-bus-{}", std::process::id()));
    let told = why(Bus::connect(&[Address::path(&dir, false)]));
    assert!(
        told.starts_with("--systemd-cgroup needs a running systemd"),
        "{told}"
    );
    let told = why(Bus::connect(&[Address::path("/dev/null/x", false)]));
    assert!(
        told.starts_with("talk to systemd over /dev/null/x"),
        "{told}"
    );
}
