//! Hashes of other implementations, and lines that are none.

use super::*;

/// Of libxcrypt: crypt(3) of `secret`, of 72 and 71 times `x`, of `päss` and of nothing.
const SECRET: [&str; 3] = [
    "$2a$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
    "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "$2y$06$abcdefghijklmnopqrstuuxLa0AkDDSrQ9VwNnETzOsObiucpMYgC",
];
const LONG: &str = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
const SHORTER: &str = "$2b$04$abcdefghijklmnopqrstuu.gc7UY/21CSNJGJg21jJzx9QiOpJ9bO";
const UMLAUT: &str = "$2b$04$abcdefghijklmnopqrstuuF7KK/SfP9IRGj0pPJMr8GdtCS8xpmpC";
const EMPTY: &str = "$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq";

fn is(password: &str, hash: &str) -> bool {
    let users = Users::parse(&format!("u:{hash}")).unwrap();
    users.verify(users.get("u"), password)
}

#[test]
fn passwords_are_those_of_other_implementations() {
    for hash in SECRET {
        assert!(is("secret", hash), "{hash}");
        assert!(!is("secreT", hash) && !is("", hash) && !is("secret ", hash));
    }
    assert!(is(&"x".repeat(72), LONG) && is(&"x".repeat(80), LONG));
    assert!(!is(&"x".repeat(71), LONG) && is(&"x".repeat(71), SHORTER));
    assert!(is("päss", UMLAUT) && is("", EMPTY));
}

#[test]
fn a_file_is_read() {
    let text = format!(
        "# users\r\n\na:{}\r\nb:{}  \na:{EMPTY}\n",
        SECRET[0], SECRET[2]
    );
    let users = Users::parse(&text).unwrap();
    assert!(
        users.verify(users.get("a"), "secret"),
        "the first of two lines"
    );
    assert!(users.verify(users.get("b"), "secret"));
    assert!(users.get("c").is_none() && users.get("# users").is_none());
    assert_eq!(users.cost, 6);
    assert_eq!(Users::parse("").unwrap().cost, DEFAULT_COST);
}

#[test]
fn other_lines_are_refused() {
    for (line, bad) in [
        ("alice", Bad::Line),
        (":$2y$05$", Bad::Line),
        ("al\u{1}ice:x", Bad::Line),
        ("alice:secret", Bad::Kind),
        ("alice:$apr1$abc$def", Bad::Kind),
        ("alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", Bad::Kind),
        ("alice:", Bad::Kind),
        (
            "alice:$2x$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
            Bad::Kind,
        ),
        ("alice:$2y$05$abc", Bad::Form),
        (
            "alice:$2y$5$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
            Bad::Form,
        ),
        (
            "alice:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a:x",
            Bad::Form,
        ),
        (
            "alice:$2y$05$abcdefghijklmnopqrstu=OQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
            Bad::Form,
        ),
        (
            "alice:$2y$03$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
            Bad::Cost,
        ),
        (
            "alice:$2y$31$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
            Bad::Cost,
        ),
    ] {
        assert_eq!(parse_line(line), Err(bad), "{line}");
        let text = format!("# one\n{line}\n");
        assert_eq!(Users::parse(&text).unwrap_err(), (2, bad), "{line}");
    }
}

#[test]
fn an_error_tells_the_line_and_the_remedy_but_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users");
    std::fs::write(&path, "a:hunter2\n").unwrap();
    let error = Users::load(&path).unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(error.hint().unwrap().contains("htpasswd -B"));
    assert!(Users::load(&dir.path().join("none")).is_err());
}

/// G7.
#[test]
fn who_is_unknown_costs_the_same_time() {
    // The same work by arithmetic: counted, not measured, so that a busy machine does not matter.
    let users = Users::parse(&format!("low:{}\nhigh:{}", SECRET[1], SECRET[2])).unwrap();
    let rounds = |hash: Option<&Hash>| {
        let own = hash.map_or(users.cost, |hash| hash.cost);
        (1u64 << own) + (own..users.cost).map(|cost| 1u64 << cost).sum::<u64>()
    };
    for user in ["low", "high", "nobody"] {
        assert_eq!(rounds(users.get(user)), 1 << 6, "{user}");
    }
    // And measured, roughly.
    let users = Users::parse(&format!(
        "low:{}\nhigh:{}",
        SECRET[1],
        SECRET[2].replace("$06$", "$09$")
    ))
    .unwrap();
    let fastest = |user: &str| {
        // Of this thread, as others may be busy.
        let cpu_time = || {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            std::time::Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
        };
        let once = || {
            let start = cpu_time();
            users.verify(users.get(user), "wrong");
            cpu_time() - start
        };
        (0..9).map(|_| once()).min().unwrap()
    };
    let (low, high, nobody) = (fastest("low"), fastest("high"), fastest("nobody"));
    for (a, b) in [(low, high), (nobody, high), (low, nobody)] {
        assert!(a < b * 2 && b < a * 2, "{low:?} {high:?} {nobody:?}");
    }
}
