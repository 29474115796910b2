//! The log drivers that tell somebody: syslog and journald, by what really arrives at a socket; and what all have in
//! common. Slow, dead and restarted receivers: `berth-monitor/tests/receiver.rs`.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use testkit::{Finished, Sandbox, eventually};

/// Runs the rest of its line where `$1`, if it is a path, is journald's socket, whatever the host has.
const WITH_JOURNAL: &str = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal &&
    { [ -z \"$1\" ] || ln -s \"$1\" /run/systemd/journal/socket; } && shift && exec \"$@\"";

fn bind(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket
}

fn packet(socket: &UnixDatagram) -> Vec<u8> {
    let mut place = vec![0; 200_000];
    let length = socket.recv(&mut place).expect("a packet");
    place.truncate(length);
    place
}

fn line(socket: &UnixDatagram) -> String {
    String::from_utf8(packet(socket)).unwrap()
}

/// `<30>Nov  1 21:40:50 TAG[PID]: …` → priority, and what follows the time; the pid as a word.
fn parts(line: &str) -> (&str, String) {
    let (priority, rest) = line.strip_prefix('<').unwrap().split_once('>').unwrap();
    let (time, rest) = rest.split_at(16);
    assert!(time.ends_with(' ') && time.as_bytes()[9] == b':', "{line}");
    let (tag, rest) = rest.split_once('[').unwrap();
    let (pid, text) = rest.split_once("]: ").unwrap();
    pid.parse::<u32>().unwrap();
    (priority, format!("{tag}|{text}"))
}

both! {
    /// The records arrive, `logs` reads the copy, and what is told later is told, too.
    fn syslog_over_a_unix_socket(s) {
        let path = s.home().join("log");
        let socket = bind(&path);
        let address = format!("syslog-address=unixgram://{}", path.display());
        s.berth(&["run", "--name", "cc", "--log-driver", "syslog", "--log-opt", &address, "--log-opt",
            "syslog-facility=local0", "--log-opt", "tag={{.Name}}/%M", "busybox", "sh", "-c",
            "echo hello; sleep 0.2; echo bad >&2; exit 3"]).fails(3);
        assert_eq!(parts(&line(&socket)), ("134", "cc/%M|hello\n".to_owned()));
        assert_eq!(parts(&line(&socket)), ("131", "cc/%M|bad\n".to_owned()));
        let logs = s.berth(&["logs", "cc"]);
        assert_eq!((logs.ok(), logs.stderr.as_str()), ("hello", "bad\n"));
        let driver = s.berth(&["inspect", "-f", "{{.HostConfig.LogConfig.Type}} {{json .HostConfig.LogConfig.Config}}", "cc"]);
        assert!(driver.ok().starts_with("syslog {") && driver.stdout.contains(&address[15..]), "{driver}");
        // The socket is gone: the container runs as before, and its exit code is kept.
        drop(socket);
        std::fs::remove_file(&path).unwrap();
        s.berth(&["start", "-a", "cc"]).fails(3);
        assert_eq!(s.berth(&["logs", "cc"]).ok(), "hello\nhello");
        let socket = bind(&path);
        s.berth(&["start", "-a", "cc"]).fails(3);
        assert_eq!(parts(&line(&socket)).1, "cc/%M|hello\n");
    }
}

#[test]
fn syslog_over_the_network_in_each_form() {
    let s = Sandbox::root().with_busybox();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let address = format!("syslog-address=udp://{}", udp.local_addr().unwrap());
    let host = s.shell("uname -n").ok().to_owned();
    for (format, begins) in [
        ("rfc3164", "<30>"),
        ("rfc5424", "<30>1 20"),
        ("rfc5424micro", "<30>1 20"),
    ] {
        let format = format!("syslog-format={format}");
        s.berth(&[
            "run",
            "--rm",
            "--log-driver",
            "syslog",
            "--log-opt",
            &address,
            "--log-opt",
            &format,
            "--log-opt",
            "mode=non-blocking",
            "busybox",
            "echo",
            "hello",
        ])
        .ok();
        let mut place = [0; 1000];
        let length = udp.recv(&mut place).unwrap();
        let line = std::str::from_utf8(&place[..length]).unwrap();
        assert!(
            line.starts_with(begins) && line.ends_with(" hello\n"),
            "{line}"
        );
        assert!(line.contains(&format!(" {host} ")), "{line}");
    }
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("syslog-address=tcp://{}", tcp.local_addr().unwrap());
    s.berth(&[
        "run",
        "-d",
        "--rm",
        "--log-driver",
        "syslog",
        "--log-opt",
        &address,
        "busybox",
        "seq",
        "20000",
    ])
    .ok();
    let mut all = String::new();
    tcp.accept().unwrap().0.read_to_string(&mut all).unwrap();
    let last: Vec<&str> = all
        .lines()
        .filter_map(|line| line.split(": ").last())
        .collect();
    assert_eq!((last.len(), last[19_999]), (20_000, "20000"));
}

/// A datagram of the native protocol. Source: systemd, "Native Journal Protocol".
fn fields(mut bytes: &[u8]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        bytes = &bytes[end + 1..];
        let (name, value) = match head.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => {
                let (length, rest) = bytes.split_at(8);
                let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
                let value = String::from_utf8(rest[..length].to_vec()).unwrap();
                assert_eq!(rest[length], b'\n');
                bytes = &rest[length + 1..];
                (head, value)
            }
        };
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
            "{name}"
        );
        assert_eq!(all.insert(name.to_owned(), value), None, "{name} twice");
    }
    assert!(bytes.is_empty());
    all
}

/// D31: a container forges no field. A socket of ours takes journald's place; tests/vm asks a real one.
#[test]
fn d31_journald_gets_dockers_fields() {
    let s = Sandbox::root().with_busybox();
    let with_journal = |socket: &str, line: &[&str]| {
        let arguments = [
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            WITH_JOURNAL,
            "sh",
            socket,
        ];
        let berth = s.berth_command(line);
        let mut command = s.command("unshare");
        command
            .args(arguments)
            .arg(berth.get_program())
            .args(berth.get_args());
        Finished::run(&mut command, b"", Duration::from_secs(60))
    };
    let run = [
        "run",
        "--name",
        "cc",
        "--log-driver",
        "journald",
        "--label",
        "a.b=x\nPRIORITY=0",
        "-e",
        "ZONE=here",
        "--log-opt",
        "labels=a.b",
        "--log-opt",
        "env=ZONE",
        "--log-opt",
        "tag=web",
        "busybox",
        "sh",
        "-c",
        "printf '\\033[0mMESSAGE=forged\\001\\n'; sleep 0.2; head -c 17000 /dev/zero | tr '\\0' x >&2",
    ];
    let refused = with_journal("", &run);
    refused.fails(125);
    assert!(
        refused.stderr.contains("hint: start systemd-journald"),
        "{refused}"
    );
    let path = s.path().join("journal");
    let socket = bind(&path);
    with_journal(path.to_str().unwrap(), &run).ok();
    let first = fields(&packet(&socket));
    let id = s.berth(&["inspect", "-f", "{{.Id}}", "cc"]).ok().to_owned();
    for (name, value) in [
        ("CONTAINER_ID", &id[..12]),
        ("CONTAINER_ID_FULL", &id),
        ("CONTAINER_NAME", "cc"),
        ("CONTAINER_TAG", "web"),
        ("SYSLOG_IDENTIFIER", "web"),
        ("IMAGE_NAME", "busybox"),
        ("A_B", "x\nPRIORITY=0"),
        ("ZONE", "here"),
        ("PRIORITY", "6"),
        ("MESSAGE", "\u{1b}[0mMESSAGE=forged\u{1}"),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    assert_eq!(first.len(), 11, "{first:?}");
    let part = fields(&packet(&socket));
    assert_eq!(
        (&*part["PRIORITY"], &*part["CONTAINER_PARTIAL_MESSAGE"]),
        ("3", "true")
    );
    assert_eq!(part["MESSAGE"].len(), 16 << 10);
    let rest = fields(&packet(&socket));
    assert!(!rest.contains_key("CONTAINER_PARTIAL_MESSAGE"));
    assert_eq!(rest["MESSAGE"].len(), 17_000 - (16 << 10));
    assert_eq!(
        s.berth(&["logs", "--tail", "2", "cc"]).stderr.trim().len(),
        17_000
    );
}

both! {
    fn what_no_driver_knows_is_refused(s) {
        for (options, hint) in [
            (&["--log-driver", "fluentd"][..], "journald, json-file, local, none, syslog"),
            (&["--log-driver", "syslog", "--log-opt", "max-size=1m"], "cache-max-size"),
            (&["--log-driver", "syslog", "--log-opt", "syslog-address=tcp+tls://h:1"], "forwards by TLS"),
            (&["--log-driver", "syslog", "--log-opt", "syslog-address=http://h"], "udp://HOST:PORT"),
            (&["--log-opt", "max-buffer-size=1m"], "mode=non-blocking"),
            (&["--log-opt", "colour=red"], "max-size"),
        ] {
            let line = [&["create"], options, &["busybox"]].concat();
            let refused = s.berth(&line);
            assert_ne!(refused.code(), 0, "{refused}");
            assert!(refused.stderr.contains(hint), "{refused}");
        }
        assert_eq!(s.berth(&["ps", "-aq"]).ok(), "");
    }
}

both! {
    /// Without a copy there is nothing to read, and that is said.
    fn a_copy_can_be_bounded_and_left_out(s) {
        let path = s.home().join("log");
        let socket = bind(&path);
        let address = format!("syslog-address=unixgram://{}", path.display());
        let base = ["run", "--log-driver", "syslog", "--log-opt", &address, "--log-opt"];
        s.berth(&[&base[..], &["cache-disabled=true", "--name", "cc", "busybox", "echo", "hello"]].concat()).ok();
        assert!(line(&socket).ends_with(": hello\n"));
        let none = s.berth(&["logs", "cc"]);
        none.fails(1);
        assert!(none.stderr.contains("cache-disabled"), "{none}");
        let id = s.berth(&["inspect", "-f", "{{.Id}}", "cc"]).ok().to_owned();
        assert!(!s.state().join("containers").join(&id).join("log").exists());
        s.berth(&[&base[..], &["mode=non-blocking", "--log-opt", "cache-max-size=20k", "--log-opt",
            "cache-max-file=2", "--name", "dd", "busybox", "seq", "5000"]].concat()).ok();
        let text = s.berth(&["logs", "dd"]).ok().to_owned();
        assert!(text.ends_with("5000") && text.lines().count() < 1000, "{}", text.lines().count());
    }
}

/// The words of a container's variables are in its log, and in no command line; and what `none` was asked for is none.
#[test]
fn d24_what_is_told_is_in_no_command_line() {
    let s = Sandbox::root().with_busybox();
    let path = s.home().join("log");
    let _socket = bind(&path);
    let address = format!("syslog-address=unixgram://{}", path.display());
    s.berth(&[
        "run",
        "-d",
        "--name",
        "cc",
        "-e",
        "A=canary",
        "--log-driver",
        "syslog",
        "--log-opt",
        &address,
        "--log-opt",
        "env=A",
        "busybox",
        "sleep",
        "100",
    ])
    .ok();
    let pids = eventually("it runs", || {
        Some(s.processes()).filter(|pids| !pids.is_empty())
    });
    for pid in pids {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains("canary"));
    }
}
