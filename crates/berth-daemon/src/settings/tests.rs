//! daemon.toml: what is understood, what is refused, and what a reload names.

use super::*;

#[test]
fn the_documented_file_is_understood() {
    let source = include_str!("../settings.rs");
    let documented: Vec<&str> = source
        .lines()
        .skip_while(|line| *line != "//! ```toml")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.trim_start_matches("//! "))
        .collect();
    let settings = Settings::parse(&documented.join("\n")).unwrap();
    assert_eq!(settings.hosts[0].text, "unix:///run/berth.sock");
    assert_eq!(settings.hosts[0].line, 1);
    assert_eq!(settings.metrics_addr.unwrap().port(), 9323);
    assert_eq!(settings.live.log.as_ref().unwrap().max_bytes, 10 << 20);
    assert_eq!(settings.live.labels, ["rack=4"]);
    assert!(settings.tls.client_ca.is_some());
    assert_eq!(Settings::parse("").unwrap(), Settings::default());
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, word) in [
        ("\nhots = []", 2, "hosts"),
        ("log_level = \"loud\"", 1, "debug"),
        ("\n\nrestart_unhealthy = \"yes\"", 3, "boolean"),
        ("metrics_addr = \"here\"", 1, "address"),
        ("labels = [\n\"a=b\",\n\"c\"]", 3, "`c`"),
        ("log_driver = \"paper\"", 1, "paper"),
        (
            "log_driver = \"json-file\"\n[log_opts]\nmax-size = \"big\"",
            2,
            "max-size",
        ),
        ("[tls]\ncertificate = \"x\"", 2, "certificates"),
        ("hosts = [\"a\"]\nhosts = [\"b\"]", 2, "duplicate"),
        ("x = ", 1, ""),
    ] {
        let (found, reason) = Settings::parse(text).unwrap_err();
        assert!(
            found == line && reason.contains(word),
            "{text}: {found} {reason}"
        );
    }
}

#[test]
fn a_file_too_long_is_refused_and_an_absent_one_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.toml");
    assert!(matches!(
        Settings::load(&path),
        Err(Error::ReadSettings { source, .. }) if source.kind() == std::io::ErrorKind::NotFound
    ));
    std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
    assert!(Settings::load(&path).is_err());
}

#[test]
fn what_is_not_live_is_named() {
    let of = |text| Settings::parse(text).unwrap();
    let old = of("hosts = [\"fd://\"]\nlabels = [\"a=b\"]");
    assert!(old.needs_restart(&of("\n\nhosts = [\"fd://\"]")).is_empty());
    assert_eq!(
        old.needs_restart(&of("metrics_addr = \"127.0.0.1:1\"")),
        ["hosts", "metrics_addr"]
    );
}
