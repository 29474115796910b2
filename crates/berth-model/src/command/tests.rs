//! Frames, both ways.

use super::*;

#[test]
fn frames_come_out_as_they_went_in() {
    let start = Start {
        arguments: vec![
            Argument::Text("run".to_owned()),
            Argument::Content("--security-opt=seccomp=".to_owned(), "{}".to_owned()),
            Argument::File("--cidfile=".to_owned(), 0),
        ],
        environment: BTreeMap::from([("TERM".to_owned(), "xterm".to_owned())]),
        terminal: [true, false, true],
        size: Size {
            rows: 24,
            columns: 80,
        },
        input: true,
    };
    let ups = [
        Up::Start(Box::new(start)),
        Up::Input(b"abc".to_vec()),
        Up::InputEnd,
        Up::Signal(15),
        Up::Resize(Size {
            rows: 1,
            columns: 300,
        }),
    ];
    let bytes: Vec<u8> = ups.iter().flat_map(Up::frame).collect();
    let mut from = &bytes[..];
    for up in ups {
        assert_eq!(Up::read(&mut from).unwrap(), Some(up));
    }
    assert_eq!(Up::read(&mut from).unwrap(), None);

    let downs = [
        Down::Output(vec![0, 255]),
        Down::Errors(Vec::new()),
        Down::Taken(7),
        Down::File(3, b"id".to_vec()),
        Down::Failed("no".to_owned()),
        Down::Exit(-1),
    ];
    let bytes: Vec<u8> = downs.iter().flat_map(Down::frame).collect();
    let mut from = &bytes[..];
    for down in downs {
        assert_eq!(Down::read(&mut from).unwrap(), Some(down));
    }
    assert_eq!(Down::read(&mut from).unwrap(), None);
}

#[test]
fn what_is_no_frame_is_refused() {
    let long = (u32::MAX).to_be_bytes();
    let too_long = [&b"i\0\0\0"[..], &long].concat();
    assert!(matches!(
        Up::read(&mut &too_long[..]),
        Err(Error::TooLong(_))
    ));
    for (bytes, name) in [
        (&b"?\0\0\0\0\0\0\0"[..], "kind"),
        (b"K\0\0\0\0\0\0\x01\x0f", "number"),
        (b"S\0\0\0\0\0\0\x02[]", "start"),
        (b"S\0\0\0\0\0\0\x11{\"arguments\":1234", "start"),
    ] {
        assert!(Up::read(&mut &bytes[..]).is_err(), "{name}");
    }
    assert!(matches!(Up::read(&mut &b"i\0\0"[..]), Err(Error::Read(_))));
    assert!(matches!(
        Up::read(&mut &b"i\0\0\0\0\0\0\x05abc"[..]),
        Err(Error::Read(_))
    ));
    assert!(Down::read(&mut &b"f\0\0\0\0\0\0\x01a"[..]).is_err());
}
