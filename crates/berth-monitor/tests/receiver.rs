//! Who is told each record of the log: alive, slow, dead, and come again; over real sockets.
#![allow(clippy::unwrap_used)] // this whole file is a test

#[allow(dead_code)] // what the other tests need
mod rig;

use std::fmt::{Display, Formatter};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rig::{Options, Receiver, Rig, within};
use testkit::programs::private_kib;

const LIMIT: Duration = Duration::from_secs(20);

fn unix(path: &Path) -> Vec<u8> {
    [
        &1_u16.to_ne_bytes()[..],
        path.to_str().unwrap().as_bytes(),
        b"\0",
    ]
    .concat()
}

fn network(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(v4) = address else {
        panic!("{address}")
    };
    let port = v4.port().to_be_bytes();
    [&2_u16.to_ne_bytes()[..], &port, &v4.ip().octets(), &[0; 8]].concat()
}

fn to(address: Vec<u8>, stream: bool, blocking: bool) -> Receiver {
    Receiver {
        address,
        stream,
        bytes: 64 << 10,
        blocking,
        template: "%x<%oO%;%eE%;%pP%;>%M\n",
    }
}

fn logged(receiver: Receiver) -> Options {
    Options {
        rotation: Some((50 << 20, 2)),
        receiver: Some(receiver),
        ..Options::default()
    }
}

/// A socket of packets, and where it is.
fn packets() -> (tempfile::TempDir, std::path::PathBuf, UnixDatagram) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    (dir, path, socket)
}

/// What a script waits for: as it is told, a line of bash.
struct Signal(tempfile::TempDir);

impl Signal {
    fn new() -> Signal {
        Signal(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("go")
    }

    fn give(&self) {
        std::fs::write(self.path(), "").unwrap();
    }
}

impl Display for Signal {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "until [ -e {} ]; do sleep 0.02; done",
            self.path().display()
        )
    }
}

fn packet(socket: &UnixDatagram) -> String {
    let mut place = vec![0; 200_000];
    let length = socket.recv(&mut place).expect("a packet");
    String::from_utf8(place[..length].to_vec()).unwrap()
}

#[test]
fn each_record_is_a_packet() {
    let (_dir, path, socket) = packets();
    // Of two streams nobody knows which comes first.
    let (first, second) = (Signal::new(), Signal::new());
    let script = format!(
        "echo one; {first}; echo; echo two >&2; {second}; head -c 20000 /dev/zero | tr '\\0' x; printf end"
    );
    let mut rig = Rig::start(&script, logged(to(unix(&path), false, true)));
    assert_eq!(packet(&socket), "<O>one\n");
    first.give();
    assert_eq!(packet(&socket), "<E>two\n");
    second.give();
    assert_eq!(packet(&socket), format!("<OP>{}\n", "x".repeat(16 << 10)));
    let rest = 20_000 - (16 << 10);
    assert_eq!(packet(&socket), format!("<O>{}end\n", "x".repeat(rest)));
    assert!(rig.wait().success());
    // What `logs` reads is the file, where nothing is missing.
    assert_eq!(rig.logged("stdout").len(), "one\n\n".len() + 20_003);
}

#[test]
fn over_udp() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let address = network(socket.local_addr().unwrap());
    let mut rig = Rig::start("echo hello", logged(to(address, false, false)));
    let mut place = [0; 100];
    let length = socket.recv(&mut place).unwrap();
    assert_eq!(&place[..length], b"<O>hello\n");
    assert!(rig.wait().success());
}

/// Each line once and in order, though all of it is more than may wait: the container is held back.
#[test]
fn a_slow_stream_holds_a_blocking_container_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = network(listener.local_addr().unwrap());
    let script = "seq -f \"%.0f $(printf %0500d 0)\" 1 20000; exit 3";
    let mut rig = Rig::start(script, logged(to(address, true, true)));
    let (stream, _) = listener.accept().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(rig.monitor.try_wait().unwrap().is_none(), "it waits");
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let numbers: Vec<u32> = lines
        .map(|line| line[3..].split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers.len(), 20_000);
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert!(rig.wait().success());
    assert_eq!(rig.exit()["code"], 3);
    assert_eq!(rig.logged("stdout").lines().count(), 20_000);
}

/// N10's like: what is not taken is dropped, the newest, and the receiver hears how many.
#[test]
fn a_slow_receiver_loses_records_and_hears_how_many() {
    let (_dir, path, socket) = packets();
    let signal = Signal::new();
    let script = format!("seq 1 100000; echo quiet >&2; {signal}; echo late");
    let mut rig = Rig::start(&script, logged(to(unix(&path), false, false)));
    // Nothing is read, yet the container gets on.
    let log = rig.log.clone();
    within(LIMIT, "it is not held back", || {
        let log = std::fs::read_to_string(&log).unwrap();
        // Both streams: which of them is read first is nobody's choice.
        (log.contains("quiet") && log.contains(r#""100000\n""#)).then_some(())
    });
    let mut last = String::new();
    let lines = std::iter::from_fn(|| {
        last = packet(&socket);
        last.strip_prefix("<O>").map(str::to_owned)
    });
    let mut numbers: Vec<u32> = Vec::new();
    for line in lines {
        numbers.push(line.trim().parse().unwrap());
        // Now there is room for what is still to come.
        if numbers.len() == 1000 {
            signal.give();
        }
    }
    assert!(
        numbers.len() > 1000 && numbers.len() < 50_000,
        "{}",
        numbers.len()
    );
    let next = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    assert!(next, "the oldest are kept");
    let dropped = 100_000 - numbers.len() + 1;
    assert_eq!(
        last,
        format!("<E>berth dropped {dropped} log records here\n")
    );
    assert_eq!(packet(&socket), "<O>late\n");
    assert!(rig.wait().success());
}

/// A dead receiver neither holds the container up nor costs its exit, in either mode.
#[test]
fn a_dead_receiver_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (address, stream) in [
        (unix(&dir.path().join("none")), false),
        (unix(&dir.path().join("none")), true),
        (network(closed), true),
        (network(closed), false),
        (vec![9], false),
    ] {
        for blocking in [true, false] {
            let began = Instant::now();
            let options = logged(to(address.clone(), stream, blocking));
            let mut rig = Rig::start("seq 1 10000; exit 7", options);
            assert!(rig.wait().success());
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{address:?} {stream} {blocking}"
            );
            assert_eq!(rig.exit()["code"], 7);
            assert_eq!(rig.logged("stdout").lines().count(), 10_000);
        }
    }
}

/// One that takes nothing at all holds a blocking container, but not its end.
#[test]
fn one_that_is_stuck_does_not_keep_the_exit() {
    let (_dir, path, socket) = packets();
    let script = "seq 1 3000; exit 5";
    let mut rig = Rig::start(script, logged(to(unix(&path), false, true)));
    let began = Instant::now();
    assert!(rig.wait().success());
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(rig.exit()["code"], 5);
    assert_eq!(rig.logged("stdout").lines().count(), 3000);
    drop(socket);
}

/// A daemon that is restarted gets what was said meanwhile.
#[test]
fn one_that_comes_again_is_found() {
    let (_dir, path, socket) = packets();
    let script = "i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); sleep 0.03; done";
    let mut rig = Rig::start(script, logged(to(unix(&path), false, true)));
    assert_eq!(packet(&socket), "<O>0\n");
    drop(socket);
    std::fs::remove_file(&path).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let numbers = std::iter::from_fn(|| {
        let number: u32 = packet(&socket)[3..].trim().parse().unwrap();
        (number < 99).then_some(number)
    });
    let numbers: Vec<u32> = numbers.collect();
    assert!(numbers[0] < 20 && numbers.len() > 75, "{numbers:?}");
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{numbers:?}"
    );
    assert!(rig.wait().success());
}

#[test]
fn a_stream_that_breaks_is_made_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = network(listener.local_addr().unwrap());
    let signal = Signal::new();
    let script = format!("echo a; {signal}; echo b; sleep 0.5");
    let mut rig = Rig::start(&script, logged(to(address, true, true)));
    let (mut first, _) = listener.accept().unwrap();
    let mut place = [0; 5];
    first.read_exact(&mut place).unwrap();
    drop(first);
    signal.give();
    let mut rest = String::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_string(&mut rest)
        .unwrap();
    assert_eq!(rest, "<O>b\n");
    assert!(rig.wait().success());
}

/// Silence costs no more with a receiver than without; what waited was given back.
#[test]
fn an_idle_monitor_stays_small() {
    let (_dir, path, socket) = packets();
    let receiver = Receiver {
        bytes: 8 << 20,
        ..to(unix(&path), false, false)
    };
    let rig = Rig::start("seq 1 200000; sleep 60", logged(receiver));
    let reader = std::thread::spawn(move || while packet(&socket) != "<O>200000\n" {});
    reader.join().unwrap();
    within(LIMIT, "memory is given back", || {
        (private_kib(rig.monitor.id()) <= 32).then_some(())
    });
}
