//! Drivers, their options, addresses.

use super::*;

fn with(driver: &str, options: &[(&str, &str)]) -> Result<LogConfig, String> {
    let options = options.iter();
    let options = options.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    LogConfig::new(driver, options.collect())
}

#[test]
fn drivers_and_their_options() {
    let made = |driver: &str, options: &[(&str, &str)]| {
        let log = with(driver, options).unwrap();
        (log.driver, log.max_bytes, log.max_files)
    };
    assert_eq!(made("", &[]), ("json-file".into(), 10 << 20, 3));
    assert_eq!(made("local", &[]), ("local".into(), 20 << 20, 5));
    assert_eq!(made("syslog", &[]), ("syslog".into(), 20 << 20, 5));
    let asked = [("max-size", "1m"), ("max-file", "2"), ("tag", "x")];
    assert_eq!(made("json-file", &asked), ("json-file".into(), 1 << 20, 2));
    let asked = [("cache-max-size", "1m"), ("cache-max-file", "2")];
    assert_eq!(made("journald", &asked), ("journald".into(), 1 << 20, 2));
    assert_eq!(
        with("json-file", &[("tag", "x")]).unwrap().option("tag"),
        Some("x")
    );
    assert_eq!(made("json-file", &[("max-size", "-1")]).1, u64::MAX);
    assert!(!with("none", &[]).unwrap().is_kept());
    assert!(with("journald", &[]).unwrap().is_kept());
    assert!(
        !with("journald", &[("cache-disabled", "true")])
            .unwrap()
            .is_kept()
    );
    for (driver, name, value) in [
        ("fluentd", "tag", "x"),
        ("none", "max-size", "1m"),
        ("", "max-size", "0"),
        ("", "max-size", "x"),
        ("", "max-file", "0"),
        ("", "compress", "true"),
        ("", "mode", "sometimes"),
        ("", "colour", "red"),
        ("", "max-buffer-size", "1m"),
        ("", "syslog-address", "udp://h"),
        ("", "cache-disabled", "true"),
        ("journald", "max-size", "1m"),
        ("journald", "syslog-format", "rfc3164"),
        ("journald", "cache-disabled", "yes"),
        ("syslog", "max-size", "1m"),
        ("syslog", "syslog-format", "rfc1"),
        ("syslog", "syslog-facility", "24"),
        ("syslog", "syslog-facility", "me"),
        ("syslog", "syslog-tls-cert", "/c"),
    ] {
        let refused = with(driver, &[(name, value)]).unwrap_err();
        let mut told = [name, driver, "TLS"]
            .into_iter()
            .filter(|word| !word.is_empty());
        assert!(told.any(|word| refused.contains(word)), "{refused}");
    }
    let refused = with("gelf", &[]).unwrap_err();
    assert_eq!(
        refused,
        "there is no log driver `gelf` (journald, json-file, local, none, syslog)"
    );
}

#[test]
fn delivery() {
    let of = |options: &[(&str, &str)]| {
        let delivery = with("syslog", options).unwrap().delivery();
        (delivery.blocking, delivery.buffer_bytes)
    };
    assert_eq!(of(&[]), (true, 64 << 10));
    assert_eq!(of(&[("mode", "non-blocking")]), (false, 1 << 20));
    let asked = |size| of(&[("mode", "non-blocking"), ("max-buffer-size", size)]).1;
    assert_eq!(
        (asked("4m"), asked("1"), asked("9g")),
        (4 << 20, 64 << 10, 1 << 30)
    );
}

#[test]
fn addresses_of_syslog() {
    let at = |text: &str| with("syslog", &[("syslog-address", text)])?.syslog_address();
    let network = |host: &str, port, stream| {
        Ok(SyslogAddress::Network {
            host: host.to_owned(),
            port,
            stream,
        })
    };
    let unix = |path: &str, stream| {
        Ok(SyslogAddress::Unix {
            path: path.to_owned(),
            stream,
        })
    };
    assert_eq!(at(""), Ok(SyslogAddress::Local));
    for (text, address) in [
        ("udp://10.0.0.1", network("10.0.0.1", 514, false)),
        ("udp://log.example:99", network("log.example", 99, false)),
        ("tcp://[::1]:601", network("::1", 601, true)),
        ("tcp://[::1]", network("::1", 514, true)),
        ("tcp://:601", network("localhost", 601, true)),
        ("unixgram:///dev/log", unix("/dev/log", false)),
        ("unix:///run/x", unix("/run/x", true)),
    ] {
        assert_eq!(at(text), address, "{text}");
    }
    for bad in [
        "h:1",
        "http://h",
        "udp://h:0",
        "udp://h:x",
        "unix://x",
        "udp://a/b",
        "tcp+tls://h",
    ] {
        assert!(at(bad).is_err(), "{bad}");
    }
    let long = format!("unix:///{}", "x".repeat(200));
    assert!(at(&long).is_err());
    let facility = |text| {
        with("syslog", &[("syslog-facility", text)])
            .unwrap()
            .syslog_facility()
    };
    assert_eq!(
        (facility("local7"), facility("kern"), facility("16")),
        (23, 0, 16)
    );
    assert_eq!(with("syslog", &[]).unwrap().syslog_facility(), 3);
}
