//! The bytes that busctl 252 sent over dbus-daemon 1.14, and what hostile peers could.

use super::*;

/// `StartTransientUnit` of `x-y.scope` with four properties, as `busctl capture` shows it.
const START: &str = "6c0104019000000002000000c500000001016f00190000002f6f72672f667265656465736b746f702f73797374656d6431\
00000000000000030173001200000053746172745472616e7369656e74556e697400000000000002017300200000006f7267\
2e667265656465736b746f702e73797374656d64312e4d616e61676572000000000000000006017300180000006f72672e66\
7265656465736b746f702e73797374656d6431000000000000000008016700107373612873762961287361287376292900000007\
017300040000003a312e310000000009000000782d792e73636f7065000000040000006661696c0000000069000000040000\
0050494473000261750000000004000000921000000800000044656c6567617465000162000100000000000000090000004d\
656d6f72794d6178000174000000000000000000000004000000000b000000416c6c6f776564435055730002617900010000\
000300000000000000";
/// The signal `JobRemoved`.
const REMOVED: &str = "6c04010141000000020000008d00000001016f00190000002f6f72672f667265656465736b746f702f73797374656d643100\
00000000000002017300200000006f72672e667265656465736b746f702e73797374656d64312e4d616e6167657200000000\
00000000030173000a0000004a6f6252656d6f7665640000000000000801670004756f737300000000000000070173000400\
00003a312e3300000000070000001f0000002f6f72672f667265656465736b746f702f73797374656d64312f6a6f622f3700\
09000000782d792e73636f706500000004000000646f6e6500";
/// The error by which dbus-daemon says that there is no systemd.
const ERROR: &str = "6c0301013a000000030000007500000006017300040000003a312e3100000000040173002c0000006f72672e667265656465\
736b746f702e444275732e4572726f722e537061776e2e4368696c6445786974656400000000050175000200000008016700\
0173000007017300140000006f72672e667265656465736b746f702e44427573000000003500000050726f63657373206f72\
672e667265656465736b746f702e73797374656d643120657869746564207769746820737461747573203100";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

#[test]
fn a_call_has_the_bytes_that_busctl_sends() {
    let body = Writer::default()
        .text("x-y.scope")
        .text("fail")
        .properties(&[
            ("PIDs", Value::U32s(vec![4242])),
            ("Delegate", Value::Bool(true)),
            ("MemoryMax", Value::U64(64 << 20)),
            ("AllowedCPUs", Value::Bytes(vec![3])),
        ])
        .no_units();
    let call = Call {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "StartTransientUnit",
        signature: "ssa(sv)a(sa(sv))",
        body,
    };
    let mut expected = bytes(START);
    // busctl allows the user to be asked for a password; we do not, and start no service.
    expected[2] = FLAGS;
    // The last header field, 16 bytes, is dbus-daemon's: the sender.
    let fields = 0xc5 - 13 - 8;
    let start = FIXED + 184;
    assert_eq!(&expected[start..start + 4], [7, 1, b's', 0]);
    expected.drain(start..start + 16);
    expected[12] = (fields + 8) as u8;
    let got = call.encode(2);
    assert_eq!(&got[FIXED..], &expected[FIXED..]);
    assert_eq!(got[..12], expected[..12]);
    assert!(Message::decode(&got).is_ok(), "and it can be read");
}

#[test]
fn a_signal_and_an_error_are_read() {
    let signal = Message::decode(&bytes(REMOVED)).unwrap();
    assert_eq!(
        (signal.kind, signal.member.as_str(), signal.sender.as_str()),
        (Kind::Signal, "JobRemoved", ":1.3")
    );
    let mut body = signal.body("uoss").unwrap();
    assert_eq!(body.u32(), Ok(7));
    assert_eq!(body.text(), Ok("/org/freedesktop/systemd1/job/7"));
    assert_eq!(body.text(), Ok("x-y.scope"));
    assert_eq!(body.text(), Ok("done"));
    body.end().unwrap();
    assert!(signal.body("s").is_err());

    let error = Message::decode(&bytes(ERROR)).unwrap();
    assert_eq!((error.kind, error.reply_serial), (Kind::Error, 2));
    assert_eq!(
        error.error_name,
        "org.freedesktop.DBus.Error.Spawn.ChildExited"
    );
    assert!(error.error_text().starts_with("Process org.freedesktop"));
}

/// Every prefix, and every byte turned into some others, is a message or an error: never a panic,
/// and never a text from beyond the message.
#[test]
fn malformed_messages_are_refused() {
    for golden in [REMOVED, ERROR, START] {
        let good = bytes(golden);
        for length in 0..good.len() {
            assert!(Message::decode(&good[..length]).is_err(), "{length}");
        }
        for at in 0..good.len() {
            for value in [0, 1, 7, 0x7f, 0x80, 0xff, good[at] ^ 1] {
                let mut bad = good.clone();
                bad[at] = value;
                if let Ok(message) = Message::decode(&bad) {
                    let _ = message.error_text();
                    let _ = message.body("uoss").map(|mut body| {
                        let _ = (
                            body.u32(),
                            body.text(),
                            body.text(),
                            body.text(),
                            body.end(),
                        );
                    });
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let spoil = |at: usize, value: u8| {
        let mut bad = bytes(REMOVED);
        bad[at] = value;
        Message::decode(&bad).unwrap_err()
    };
    assert_eq!(spoil(0, b'B'), "a message is not little-endian");
    assert_eq!(spoil(1, 9), "a message is of no known kind");
    assert_eq!(spoil(3, 2), "a message is not of protocol version 1");
    assert_eq!(spoil(7, 0x7f), "a message is too long");
    assert_eq!(spoil(15, 0xff), "a message is too long");
    assert_eq!(spoil(8, 0), "a message has no serial");
    assert_eq!(
        spoil(18, b's'),
        "a header field is of a wrong type or there twice"
    );
    assert_eq!(spoil(23, 0x7f), "a value goes beyond its message");
    assert_eq!(spoil(30, 0), "a text does not end where it should");
    assert_eq!(spoil(30, 0xff), "a text is not UTF-8");
    assert_eq!(spoil(51, 1), "padding is not zero");
    let mut longest = [0; FIXED];
    longest[..4].copy_from_slice(b"l\x04\x01\x01");
    for at in [4, 12] {
        longest[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Message::length(&longest).is_err());
    }
}
