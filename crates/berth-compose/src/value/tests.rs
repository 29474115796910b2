//! Tables of texts and what they mean.

use super::*;

#[test]
fn durations_with_days() {
    const S: u64 = 1_000_000_000;
    for (text, want, printed) in [
        ("0", 0, "0s"),
        ("1m30s", 90 * S, "1m30s"),
        ("90s", 90 * S, "1m30s"),
        ("1h", 3600 * S, "1h0m0s"),
        ("1.5s", 3 * S / 2, "1.5s"),
        ("200ms", S / 5, "200ms"),
        ("1500us", 1_500_000, "1.5ms"),
        ("7ns", 7, "7ns"),
        ("1d", 86_400 * S, "24h0m0s"),
        ("1w2d3h", (9 * 24 + 3) * 3600 * S, "219h0m0s"),
    ] {
        assert_eq!(duration(text), Ok(want), "{text}");
        assert_eq!(print_duration(want), printed, "{text}");
        assert_eq!(duration(printed), Ok(want), "{printed}");
    }
    for text in [
        "",
        "1",
        "d",
        "s",
        "1x",
        "1ds",
        "1d1",
        "-1s",
        "99999999999w",
        "1é",
    ] {
        assert!(duration(text).is_err(), "{text}: {:?}", duration(text));
    }
}

#[test]
fn modes_are_octal() {
    for (value, want) in [
        (Value::Int(0o440), "0440"),
        (Value::Text("0440".into()), "0440"),
        (Value::Text("440".into()), "0440"),
        (Value::Text("0o1777".into()), "01777"),
        (Value::Int(0), "00"),
    ] {
        assert_eq!(mode(&value, "it").as_deref(), Ok(want), "{value:?}");
    }
    for value in [
        Value::Text("9".into()),
        Value::Text("rw".into()),
        Value::Int(-1),
        Value::Int(0o10000),
    ] {
        assert!(mode(&value, "it").is_err(), "{value:?}");
    }
}

#[test]
fn words_of_policies() {
    for text in ["always", "missing", "every_12h", "every_1w2d", "daily"] {
        assert_eq!(pull_policy(text), Ok(()), "{text}");
    }
    for text in [
        "",
        "sometimes",
        "every_",
        "every_x",
        "every_1.5h",
        "xalways",
    ] {
        assert!(pull_policy(text).is_err(), "{text}");
    }
    for text in [
        "no",
        "always",
        "on-failure",
        "on-failure:3",
        "unless-stopped",
    ] {
        assert_eq!(restart(text), Ok(()), "{text}");
    }
    for text in ["yes", "on-failure:x", "always:1"] {
        assert!(restart(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_and_truth() {
    assert_eq!(truth("On"), Ok(true));
    assert_eq!(truth("FALSE"), Ok(false));
    assert!(truth("maybe").is_err());
    assert_eq!(whole("7", 0, 9), Ok(7));
    assert!(whole("7.5", 0, 9).is_err());
    assert!(whole("10", 0, 9).is_err());
    assert_eq!(float("0.5"), Ok(0.5));
    assert!(float("nan").is_err() && float("-1").is_err());
    assert_eq!(size("1.5g"), Ok(3 << 29));
    assert_eq!(size("-1"), Ok(-1));
    assert_eq!(micros("50000"), Ok(50_000));
    assert_eq!(micros("95ms"), Ok(95_000));
    assert_eq!(gpu_count("all"), Ok(-1));
}
