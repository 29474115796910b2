//! Who is told each record besides the log file, and in which words: the drivers `journald` and `syslog`.
//!
//! The monitor tells them, by a template (`berth_monitor::template`). What `logs` reads is the file.
//!
//! Source: systemd, "Native Journal Protocol"; RFC 3164, RFC 5424; Docker's documentation, "Journald logging driver",
//! "Syslog logging driver".

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use berth_model::ContainerConfig;
use berth_model::config::SyslogAddress;
use berth_model::task::LogReceiver;

use super::attributes;
use crate::Error;
use crate::create::invalid;

/// Where journald listens.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// Where syslog may, on this machine.
const LOCAL_SYSLOG: [&str; 3] = ["/dev/log", "/run/syslog", "/run/log"];
/// Bytes of all that is said of a record beside its text.
const MAX_BYTES: usize = 16 << 10;

/// Whether who is to be told can be told, as far as this is known before the start.
///
/// # Errors
/// [`Error::Invalid`]: there is no journald, a tag is none, or too much is to be said.
pub(crate) fn check(config: &ContainerConfig) -> Result<(), Error> {
    template(config)?;
    if config.log.driver == "journald" && !Path::new(JOURNAL).exists() {
        return Err(Error::Invalid {
            message: format!("the log driver `journald`: there is no `{JOURNAL}`"),
            hint: Some("start systemd-journald, or take another driver: json-file, local".into()),
        });
    }
    Ok(())
}

/// Who is told, and how; `None`: nobody.
///
/// # Errors
/// [`Error::Invalid`]: a name has no address, and what [`check`] says.
pub(crate) fn of(config: &ContainerConfig) -> Result<Option<LogReceiver>, Error> {
    let Some(template) = template(config)? else {
        return Ok(None);
    };
    let (address, stream) = match &*config.log.driver {
        "journald" => (unix(JOURNAL), false),
        _ => syslog_address(config)?,
    };
    let delivery = config.log.delivery();
    Ok(Some(LogReceiver {
        address: address.iter().map(|byte| format!("{byte:02x}")).collect(),
        stream,
        template,
        buffer_bytes: delivery.buffer_bytes,
        blocking: delivery.blocking,
    }))
}

fn template(config: &ContainerConfig) -> Result<Option<String>, Error> {
    if !matches!(&*config.log.driver, "journald" | "syslog") {
        return Ok(None);
    }
    let tag = config.log.option("tag").filter(|tag| !tag.is_empty());
    let tag = attributes::tag(tag.unwrap_or("{{.ID}}"), config).map_err(invalid)?;
    let template = match &*config.log.driver {
        "journald" => journald(config, &tag),
        _ => {
            let host = rustix::system::uname();
            syslog(config, &tag, &host.nodename().to_string_lossy())
        }
    };
    if template.len() > MAX_BYTES {
        let message = format!("the log's tag and attributes have more than {MAX_BYTES} bytes");
        return Err(invalid(message));
    }
    Ok(Some(template))
}

fn journald(config: &ContainerConfig, tag: &str) -> String {
    let mut text = String::new();
    for (name, value) in [
        ("CONTAINER_ID", config.id.short()),
        ("CONTAINER_ID_FULL", config.id.as_str()),
        ("CONTAINER_NAME", &config.name),
        ("CONTAINER_TAG", tag),
        ("IMAGE_NAME", &config.image.reference),
        ("SYSLOG_IDENTIFIER", tag),
    ] {
        field(name, value, &mut text);
    }
    for (name, value) in attributes::chosen(config) {
        // What begins with an underscore is the journal's own, and no client may say it.
        let name = name.to_ascii_uppercase();
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        match name.trim_start_matches('_') {
            "" => {}
            name => field(name, &value, &mut text),
        }
    }
    text.push_str("SYSLOG_TIMESTAMP=%N\nPRIORITY=%o6%;%e3%;\n%pCONTAINER_PARTIAL_MESSAGE=true\n%;");
    text.push_str("MESSAGE\n%L\n");
    text
}

/// One field of the journal's, so that its value forges no other (security: D31).
fn field(name: &str, value: &str, text: &mut String) {
    text.push_str(name);
    if value.contains('\n') {
        text.push('\n');
        for byte in (value.len() as u64).to_le_bytes() {
            text.push_str(&format!("%#{byte:02x}"));
        }
    } else {
        text.push('=');
    }
    for c in value.chars() {
        match c {
            '%' => text.push_str("%%"),
            '\0' => text.push_str("%#00"),
            c => text.push(c),
        }
    }
    text.push('\n');
}

/// As Docker words them; a stream's messages end with a line feed, and so do packets.
fn syslog(config: &ContainerConfig, tag: &str, host: &str) -> String {
    let clean = |text: &str| {
        let text = text.replace(char::is_control, "");
        text.replace('%', "%%")
    };
    let (tag, host) = (clean(tag), clean(host));
    let facility = u32::from(config.log.syslog_facility()) * 8;
    let priority = format!("<%o{}%;%e{}%;>", facility + 6, facility + 3);
    let words = match config.log.option("syslog-format") {
        Some("rfc3164") => format!("%S {host} {tag}[%I]: %M"),
        Some("rfc5424") => format!("1 %R {host} {tag} %I {tag} - %M"),
        Some("rfc5424micro") => format!("1 %U {host} {tag} %I {tag} - %M"),
        _ => format!("%S {tag}[%I]: %M"),
    };
    format!("%x{priority}{words}\n")
}

fn syslog_address(config: &ContainerConfig) -> Result<(Vec<u8>, bool), Error> {
    match config.log.syslog_address().map_err(invalid)? {
        SyslogAddress::Local => {
            let there = LOCAL_SYSLOG
                .into_iter()
                .find(|path| Path::new(path).exists());
            Ok((unix(there.unwrap_or(LOCAL_SYSLOG[0])), false))
        }
        SyslogAddress::Unix { path, stream } => Ok((unix(&path), stream)),
        SyslogAddress::Network { host, port, stream } => {
            let found = (host.as_str(), port).to_socket_addrs();
            let address = found.ok().and_then(|mut addresses| addresses.next());
            let address = address.ok_or_else(|| Error::Invalid {
                message: format!("syslog's host `{host}` has no address"),
                hint: Some("give its address in syslog-address".to_owned()),
            })?;
            Ok((network(address), stream))
        }
    }
}

/// `struct sockaddr_un`. Source: unix(7).
fn unix(path: &str) -> Vec<u8> {
    const AF_UNIX: u16 = 1;
    [&AF_UNIX.to_ne_bytes(), path.as_bytes(), b"\0"].concat()
}

/// `struct sockaddr_in` or `sockaddr_in6`. Source: ip(7), ipv6(7).
fn network(address: SocketAddr) -> Vec<u8> {
    const AF_INET: u16 = 2;
    const AF_INET6: u16 = 10;
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) => [
            &AF_INET.to_ne_bytes()[..],
            &port,
            &v4.ip().octets(),
            &[0; 8],
        ]
        .concat(),
        SocketAddr::V6(v6) => [
            &AF_INET6.to_ne_bytes()[..],
            &port,
            &v6.flowinfo().to_be_bytes(),
            &v6.ip().octets(),
            &v6.scope_id().to_ne_bytes(),
        ]
        .concat(),
    }
}

#[cfg(test)]
mod tests {
    use berth_model::ContainerId;
    use berth_model::config::LogConfig;
    use berth_monitor::clock::rfc3339;
    use berth_monitor::json::Sink;
    use berth_monitor::record::Stream;
    use berth_monitor::template::{Told, fill};

    use super::*;

    struct Text(Vec<u8>);

    impl Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    fn config(driver: &str, options: &[(&str, &str)]) -> ContainerConfig {
        let mut config = ContainerConfig::new(ContainerId::from_bytes([0xab; 32]));
        config.name = "web".into();
        config.image.reference = "busybox:1".into();
        let label = ("_my.team%", "red\n_UID=0\nMESSAGE=forged");
        config.labels.insert(label.0.into(), label.1.into());
        config.process.env = vec!["Zone=b%M".into()];
        let options = options.iter();
        let options = options.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        config.log = LogConfig::new(driver, options.collect()).unwrap();
        config
    }

    fn told(template: &str, stream: Stream, partial: bool) -> Vec<u8> {
        let mut text = Text(Vec::new());
        let record = Told {
            text: b"hello",
            partial,
            stream,
            time: &rfc3339(1_793_569_250, 123_456_789),
            pid: 7,
        };
        fill(template.as_bytes(), &record, &mut text);
        text.0
    }

    #[test]
    fn forms_of_syslog() {
        let made = |options: &[(&str, &str)], stream| {
            let template = syslog(&config("syslog", options), "t%M\n", "box");
            String::from_utf8(told(&template, stream, false)).unwrap()
        };
        for (format, words) in [
            ("", "<30>Nov  1 21:40:50 t%M[7]: hello\n"),
            ("rfc3164", "<30>Nov  1 21:40:50 box t%M[7]: hello\n"),
            (
                "rfc5424",
                "<30>1 2026-11-01T21:40:50Z box t%M 7 t%M - hello\n",
            ),
            (
                "rfc5424micro",
                "<30>1 2026-11-01T21:40:50.123456Z box t%M 7 t%M - hello\n",
            ),
        ] {
            assert_eq!(made(&[("syslog-format", format)], Stream::Stdout), words);
        }
        assert!(made(&[("syslog-facility", "local0")], Stream::Stderr).starts_with("<131>"));
        let template = template(&config("syslog", &[])).unwrap().unwrap();
        assert!(template.contains(" abababababab[%I]: "), "{template}");
    }

    /// D31: what a label holds is in its field, and nowhere else.
    #[test]
    fn fields_of_the_journal() {
        let options = [
            ("labels", "_my.team%,none"),
            ("env", "Zone"),
            ("tag", "{{.Name}}/x"),
        ];
        let template = template(&config("journald", &options)).unwrap().unwrap();
        let mut expected = Vec::new();
        for line in [
            "CONTAINER_ID=abababababab".to_owned(),
            format!("CONTAINER_ID_FULL={}", "ab".repeat(32)),
            "CONTAINER_NAME=web".into(),
            "CONTAINER_TAG=web/x".into(),
            "IMAGE_NAME=busybox:1".into(),
            "SYSLOG_IDENTIFIER=web/x".into(),
            "ZONE=b%M".into(),
        ] {
            expected.extend_from_slice(format!("{line}\n").as_bytes());
        }
        let team = [
            &b"MY_TEAM_\n"[..],
            &25_u64.to_le_bytes(),
            b"red\n_UID=0\nMESSAGE=forged\n",
        ]
        .concat();
        expected.extend_from_slice(&team);
        expected
            .extend_from_slice(b"SYSLOG_TIMESTAMP=2026-11-01T21:40:50.123456789Z\nPRIORITY=3\n");
        expected.extend_from_slice(b"CONTAINER_PARTIAL_MESSAGE=true\n");
        expected.extend_from_slice(b"MESSAGE\n\x05\0\0\0\0\0\0\0hello\n");
        assert_eq!(
            String::from_utf8_lossy(&told(&template, Stream::Stderr, true)),
            String::from_utf8_lossy(&expected)
        );
    }

    #[test]
    fn addresses() {
        assert_eq!(unix("/a"), [&1_u16.to_ne_bytes()[..], b"/a\0"].concat());
        let v4 = network("1.2.3.4:514".parse().unwrap());
        assert_eq!((v4.len(), &v4[2..8]), (16, &[2, 2, 1, 2, 3, 4][..]));
        let v6 = network("[::1]:514".parse().unwrap());
        assert_eq!((v6.len(), v6[23]), (28, 1));
        let receiver = of(&config(
            "syslog",
            &[("syslog-address", "udp://127.0.0.1:1")],
        ));
        let receiver = receiver.unwrap().unwrap();
        assert!(
            receiver.address.ends_with("00017f0000010000000000000000"),
            "{}",
            receiver.address
        );
        let nowhere = of(&config(
            "syslog",
            &[("syslog-address", "udp://no.such.invalid")],
        ));
        assert!(nowhere.is_err());
        assert!(of(&config("json-file", &[])).unwrap().is_none());
    }
}
