//! Sessions over a socket pair, with the test as the monitor, and a real terminal as the user's.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use berth_monitor::packet::{self, FromClient, Wants};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

const ALL: Wants = Wants {
    stdin: true,
    stdout: true,
    stderr: true,
};

/// The monitor's side.
struct Monitor(OwnedFd);

impl Monitor {
    fn say(&self, packet: &[u8]) {
        send(&self.0, packet, SendFlags::NOSIGNAL).unwrap();
    }

    fn output(&self, sort: u8, data: &[u8]) {
        self.say(&[&[sort], data].concat());
    }

    /// The next packet; `None`: the client is gone.
    fn hear(&self) -> Option<(FromClient, Vec<u8>)> {
        let mut place = vec![0; packet::MAX_DATA + 1];
        let length = match recv(&self.0, place.as_mut_slice(), RecvFlags::empty()) {
            Ok((length, _)) => length,
            // It left with packets unread.
            Err(Errno::CONNRESET) => return None,
            Err(error) => panic!("{error}"),
        };
        let body = place.get(1..length)?;
        Some((packet::from_client(place[0], body).unwrap(), body.to_vec()))
    }
}

fn connected() -> (AttachStream, Monitor) {
    let (stream, theirs) = AttachStream::foreground(ALL).unwrap();
    let monitor = Monitor(theirs);
    assert_eq!(monitor.hear().unwrap().0, FromClient::Attach(ALL));
    monitor.say(&[packet::ATTACH, packet::VERSION]);
    (stream, monitor)
}

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

fn read_all(fd: OwnedFd) -> Vec<u8> {
    let mut text = Vec::new();
    std::fs::File::from(fd).read_to_end(&mut text).unwrap();
    text
}

#[test]
fn streams_are_kept_apart_and_the_exit_comes_last() {
    let (mut stream, monitor) = connected();
    let ((out, out_write), (err, err_write)) = (pipe(), pipe());
    let data = vec![b'x'; packet::MAX_DATA];
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..50 {
                monitor.output(packet::STDOUT, &data);
            }
            monitor.output(packet::STDERR, b"oops");
            monitor.say(&packet::exit(7, true));
            assert_eq!(monitor.hear().unwrap().0, FromClient::Done);
            drop(monitor);
        });
        let out = scope.spawn(move || read_all(out).len());
        let err = scope.spawn(move || read_all(err));
        let session = Session {
            stream: &mut stream,
            stdin: None,
            stdout: out_write.as_fd(),
            stderr: err_write.as_fd(),
            tty: false,
            detach_keys: DetachKeys::none(),
            signals: &Signals::listen().unwrap(),
            forward: None,
        };
        let outcome = session.run().unwrap();
        stream.take_over().unwrap();
        drop((out_write, err_write));
        assert_eq!(out.join().unwrap(), 50 * packet::MAX_DATA);
        assert_eq!(err.join().unwrap(), b"oops");
        outcome
    });
    assert_eq!(
        outcome,
        Outcome::Exited {
            code: 7,
            oom_killed: true
        }
    );
}

#[test]
fn input_is_sent_and_ended_while_output_flows() {
    let (mut stream, monitor) = connected();
    let ((input, input_write), (out, out_write)) = (pipe(), pipe());
    let text = vec![b'y'; 1_000_000];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            rustix::io::ioctl_fionbio(&input_write, false).unwrap();
            std::io::Write::write_all(&mut std::fs::File::from(input_write), &text).unwrap();
        });
        // An echo that answers before it reads on.
        scope.spawn(move || {
            loop {
                match monitor.hear().unwrap() {
                    (FromClient::Stdin, data) => monitor.output(packet::STDOUT, &data),
                    (FromClient::StdinEnd, _) => break monitor.say(&packet::exit(0, false)),
                    other => panic!("{other:?}"),
                }
            }
            // Stays until the client has read.
            assert!(monitor.hear().is_none());
        });
        let out = scope.spawn(move || read_all(out));
        let session = Session {
            stream: &mut stream,
            stdin: Some(input.as_fd()),
            stdout: out_write.as_fd(),
            stderr: out_write.as_fd(),
            tty: false,
            detach_keys: DetachKeys::default(),
            signals: &Signals::listen().unwrap(),
            forward: None,
        };
        assert_eq!(
            session.run().unwrap(),
            Outcome::Exited {
                code: 0,
                oom_killed: false
            }
        );
        drop((stream, out_write));
        assert!(out.join().unwrap() == text);
    });
}

#[test]
fn a_terminal_is_raw_sized_left_by_keys_and_restored() {
    let (mut stream, monitor) = connected();
    let user = berth_sys::pty::open().unwrap();
    berth_sys::pty::resize(&user.master, 40, 120).unwrap();
    let modes = || rustix::termios::tcgetattr(&user.slave).unwrap().local_modes;
    let before = modes();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let resize = monitor.hear().unwrap().0;
            assert_eq!(
                resize,
                FromClient::Resize {
                    rows: 40,
                    cols: 120
                }
            );
            monitor.output(packet::STDOUT, b"$ ");
            let mut prompt = [0; 2];
            rustix::io::read(&user.master, &mut prompt).unwrap();
            rustix::io::write(&user.master, b"ls\r\x03\x10").unwrap();
            let mut typed = Vec::new();
            while typed.len() < 4 {
                typed.extend(monitor.hear().unwrap().1);
            }
            assert_eq!(
                typed, b"ls\r\x03",
                "interrupt is a key here, ctrl-p is held back"
            );
            rustix::io::write(&user.master, b"\x11").unwrap();
            assert!(monitor.hear().is_none(), "the client left");
        });
        let session = Session {
            stream: &mut stream,
            stdin: Some(user.slave.as_fd()),
            stdout: user.slave.as_fd(),
            stderr: user.slave.as_fd(),
            tty: true,
            detach_keys: DetachKeys::default(),
            signals: &Signals::listen().unwrap(),
            forward: None,
        };
        assert_eq!(session.run().unwrap(), Outcome::Detached);
        drop(stream);
    });
    assert_eq!(modes(), before);
}

/// A signal to the process may be taken by any thread that does not block it, the test harness's too:
/// so this runs again in a process whose threads all block it from their birth.
#[test]
fn signals_are_forwarded_though_nobody_reads_the_output() {
    const AGAIN: &str = "BERTH_TEST_SIGNALS_BLOCKED";
    if std::env::var_os(AGAIN).is_none() {
        let name = "session::tests::signals_are_forwarded_though_nobody_reads_the_output";
        let status = std::process::Command::new("env")
            .arg("--block-signal=TERM")
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(AGAIN, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let (mut stream, monitor) = connected();
    let (out, out_write) = pipe();
    let signals = Signals::listen().unwrap();
    let mut got = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..4 {
                monitor.output(packet::STDOUT, &vec![b'x'; packet::MAX_DATA]);
            }
            std::thread::sleep(Duration::from_millis(200));
            let this = rustix::process::getpid();
            rustix::process::kill_process(this, rustix::process::Signal::TERM).unwrap();
            std::thread::sleep(Duration::from_millis(200));
            drop(out);
            // Stays until the client is gone.
            while monitor.hear().is_some() {}
        });
        let mut forward = |signal| got.push(signal);
        let session = Session {
            stream: &mut stream,
            stdin: None,
            stdout: out_write.as_fd(),
            stderr: out_write.as_fd(),
            tty: false,
            detach_keys: DetachKeys::none(),
            signals: &signals,
            forward: Some(&mut forward),
        };
        assert_eq!(session.run().unwrap(), Outcome::OutputClosed);
        drop(stream);
    });
    assert_eq!(got, [15]);
}

#[test]
fn a_monitor_that_dies_is_noticed() {
    let (mut stream, monitor) = connected();
    drop(monitor);
    let out = tempfile::tempfile().unwrap();
    let session = Session {
        stream: &mut stream,
        stdin: None,
        stdout: out.as_fd(),
        stderr: out.as_fd(),
        tty: false,
        detach_keys: DetachKeys::none(),
        signals: &Signals::listen().unwrap(),
        forward: None,
    };
    assert_eq!(session.run().unwrap(), Outcome::Lost);
}

#[test]
fn a_task_without_a_monitor_is_not_running() {
    let dir = tempfile::tempdir().unwrap();
    let error = AttachStream::connect(dir.path(), ALL).unwrap_err();
    assert!(matches!(error, Error::NotRunning { .. }), "{error:?}");
    assert!(AttachStream::connect(&dir.path().join("none"), ALL).is_err());
}

#[test]
fn a_task_of_a_long_path_is_attached_to() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, accept, bind, listen, socket};
    let dir = tempfile::tempdir().unwrap();
    let task = dir.path().join("x".repeat(150));
    std::fs::create_dir(&task).unwrap();
    let handle = std::fs::File::open(&task).unwrap();
    let short = format!(
        "/proc/self/fd/{}/shim.sock",
        std::os::fd::AsRawFd::as_raw_fd(&handle)
    );
    let listener = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(short).unwrap()).unwrap();
    listen(&listener, 4).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let monitor = Monitor(accept(&listener).unwrap());
            assert_eq!(monitor.hear().unwrap().0, FromClient::Attach(ALL));
            monitor.say(&[packet::ATTACH, packet::VERSION]);
            monitor.output(packet::STDOUT, b"hello");
            drop(monitor);
            // Another version's monitor closes the connection.
            drop(accept(&listener).unwrap());
        });
        let mut stream = AttachStream::connect(&task, ALL).unwrap();
        let mut receive = |event| {
            poll(&mut [PollFd::new(&stream, PollFlags::IN)], None).unwrap();
            assert_eq!(stream.try_receive().unwrap(), Some(event));
        };
        receive(Event::Stdout(b"hello"));
        receive(Event::End);
        let refused = AttachStream::connect(&task, ALL);
        assert!(matches!(refused, Err(Error::Refused)));
    });
}
