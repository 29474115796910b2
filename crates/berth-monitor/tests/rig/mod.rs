//! Plays the shim for the real monitor: perl starts the "init" and becomes the monitor by exec.

#![allow(dead_code)] // each test file uses its part

use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use berth_monitor::packet::{self, FromMonitor, Wants};
use rustix::net::{
    self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::Value;

/// The monitor's executable: the one in BERTH_BIN_DIR, or built by its own command.
pub fn monitor() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(dir) = std::env::var_os("BERTH_BIN_DIR") {
            return Path::new(&dir).join("berth-monitor");
        }
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--profile",
                "runtime",
                "-p",
                "berth-monitor",
            ])
            .args(["--features", "bin", "--bin", "berth-monitor"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the monitor builds");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("has a parent");
        target.join("runtime/berth-monitor")
    })
}

/// How a monitor is to be started.
#[derive(Default)]
pub struct Options {
    pub terminal: bool,
    pub stdin: bool,
    pub stdin_once: bool,
    /// Attached from the start.
    pub foreground: bool,
    pub durable: bool,
    /// Bytes and number of log files.
    pub rotation: Option<(u64, u32)>,
    /// Where the log goes; else the rig's directory.
    pub log_dir: Option<PathBuf>,
    pub oom: Option<PathBuf>,
    /// The monitor becomes `touch DIR/reaped`.
    pub reap: bool,
    pub uid: Option<u32>,
}

/// A running monitor.
pub struct Rig {
    pub dir: tempfile::TempDir,
    pub log: PathBuf,
    pub monitor: Child,
    /// The foreground client, attached.
    pub foreground: Option<Client>,
    /// Keeps the terminal's size readable.
    pub terminal: Option<OwnedFd>,
}

pub const ALL: Wants = Wants {
    stdin: true,
    stdout: true,
    stderr: true,
};

impl Rig {
    /// Starts `script` (bash) as init, and the monitor over it.
    pub fn start(script: &str, options: Options) -> Rig {
        let dir = tempfile::tempdir().expect("a directory");
        let log = options
            .log_dir
            .as_deref()
            .unwrap_or(dir.path())
            .join("log.json");
        let mut fds: Vec<(OwnedFd, RawFd)> = Vec::new();
        let mut line: Vec<OsString> = Vec::new();
        let pipe = || pipe_with(PipeFlags::CLOEXEC).expect("a pipe");

        let listen = net::socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .expect("a socket");
        let address = SocketAddrUnix::new(dir.path().join("shim.sock")).expect("a short path");
        net::bind(&listen, &address).expect("bind");
        net::listen(&listen, 16).expect("listen");
        fds.push((listen, 5));
        let lock = fs::File::create(dir.path().join("shim.lock")).expect("a lock file");
        lock.try_lock().expect("nobody holds it");
        fds.push((lock.into(), 6));
        line.push("listen=5".into());
        line.push("lock=6".into());
        line.push(joined("exit=", &dir.path().join("exit.json")));

        // The container's ends at 17, 18, 19; ours at 7, 8, 9.
        let mut terminal = None;
        if options.terminal {
            let (master, slave) = open_terminal();
            terminal = Some(slave.try_clone().expect("clone"));
            nonblocking(&master);
            for number in [17, 18, 19] {
                fds.push((slave.try_clone().expect("clone"), number));
            }
            if options.stdin {
                fds.push((master.try_clone().expect("clone"), 9));
                line.push("stdin=9".into());
            }
            fds.push((master, 7));
            line.push("tty=7".into());
        } else {
            let ((out_read, out_write), (err_read, err_write)) = (pipe(), pipe());
            nonblocking(&out_read);
            nonblocking(&err_read);
            fds.extend([
                (out_read, 7),
                (err_read, 8),
                (out_write, 18),
                (err_write, 19),
            ]);
            line.extend(["stdout=7".into(), "stderr=8".into()]);
            if options.stdin {
                let (in_read, in_write) = pipe();
                nonblocking(&in_write);
                fds.extend([(in_read, 17), (in_write, 9)]);
                line.push("stdin=9".into());
            } else {
                fds.push((fs::File::open("/dev/null").expect("null").into(), 17));
            }
        }
        let foreground = options.foreground.then(|| {
            let (ours, theirs) = net::socketpair(
                AddressFamily::UNIX,
                SocketType::SEQPACKET,
                SocketFlags::CLOEXEC,
                None,
            )
            .expect("a socket pair");
            fds.push((theirs, 4));
            line.push("client=4".into());
            let client = Client(ours);
            client.send(&packet::attach(ALL));
            client
        });
        if let Some((bytes, files)) = options.rotation {
            let file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&log)
                .expect("log");
            fds.push((file.into(), 10));
            line.extend(["log=10".into(), joined("log-path=", &log)]);
            line.extend([
                format!("log-bytes={bytes}").into(),
                format!("log-files={files}").into(),
            ]);
        }
        if options.stdin_once {
            line.push("stdin-once=1".into());
        }
        if options.durable {
            line.push("durable=1".into());
        }
        if let Some(oom) = &options.oom {
            line.push(joined("oom=", oom));
        }
        if options.reap {
            line.extend([
                "--".into(),
                "/bin/touch".into(),
                dir.path().join("reaped").into(),
            ]);
        }
        let monitor = spawn(script, &options, &fds, line);
        Rig {
            dir,
            log,
            monitor,
            foreground,
            terminal,
        }
    }

    /// A new client, attached.
    pub fn attach(&self, wants: Wants) -> Client {
        let client = self.connect();
        client.send(&packet::attach(wants));
        assert_eq!(client.receive(), Packet::Attached);
        client
    }

    /// A new client that has said nothing.
    pub fn connect(&self) -> Client {
        let socket = net::socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .expect("a socket");
        let address = SocketAddrUnix::new(self.dir.path().join("shim.sock")).expect("short");
        net::connect(&socket, &address).expect("the monitor listens");
        Client(socket)
    }

    /// Waits for the monitor's end.
    pub fn wait(&mut self) -> ExitStatus {
        within(Duration::from_secs(60), "the monitor's end", || {
            self.monitor.try_wait().expect("wait")
        })
    }

    /// `exit.json`, once it is there.
    pub fn exit(&self) -> Value {
        let path = self.dir.path().join("exit.json");
        within(Duration::from_secs(60), "exit.json", || {
            let text = fs::read(&path).ok()?;
            Some(serde_json::from_slice(&text).expect("valid"))
        })
    }

    pub fn is_reaped(&self) -> bool {
        self.dir.path().join("reaped").exists()
    }

    /// The records of the log, oldest first.
    pub fn records(&self) -> Vec<Value> {
        let mut records = Vec::new();
        for number in (0..20).rev() {
            let name = if number == 0 {
                self.log.clone()
            } else {
                PathBuf::from(format!("{}.{number}", self.log.display()))
            };
            let Ok(text) = fs::read(name) else { continue };
            assert!(text.is_empty() || text.ends_with(b"\n"), "no torn record");
            for line in text.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
                records.push(serde_json::from_slice(line).expect("a record is JSON"));
            }
        }
        records
    }

    /// The text of one stream in the log.
    pub fn logged(&self, stream: &str) -> String {
        let records = self.records();
        let of_stream = records.iter().filter(|record| record["stream"] == stream);
        of_stream
            .map(|record| record["log"].as_str().expect("text"))
            .collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Only processes of this rig: the monitor, and init by its pipes' ends.
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

/// Not a shell: shells reap children that die before the exec.
const SHIM: &str = r#"
    my ($terminal, $script, $monitor) = splice @ARGV, 0, 3;
    my $init = fork // die;
    if (!$init) {
        POSIX::dup2($_, $_ - 17) for 17 .. 19;
        POSIX::close($_) for 4 .. 19;
        exec(($terminal ? qw(setsid --ctty) : ()), "bash", "-c", $script);
    }
    POSIX::close($_) for 17 .. 19;
    exec $monitor, "init=$init", @ARGV;
"#;

fn spawn(script: &str, options: &Options, fds: &[(OwnedFd, RawFd)], line: Vec<OsString>) -> Child {
    let mut command = Command::new("perl");
    command.args([
        "-MPOSIX",
        "-e",
        SHIM,
        if options.terminal { "1" } else { "" },
        script,
    ]);
    command.arg(monitor()).args(line);
    command.stdin(Stdio::null());
    if let Some(uid) = options.uid {
        command.uid(uid);
    }
    let moves: Vec<(RawFd, RawFd)> = fds
        .iter()
        .map(|(fd, number)| (fd.as_raw_fd(), *number))
        .collect();
    // SAFETY: dup and dup2 are async-signal-safe and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            // First out of the way of the numbers wanted.
            let mut high = [0; 32];
            for (place, (from, _)) in high.iter_mut().zip(&moves) {
                *place = libc::fcntl(*from, libc::F_DUPFD_CLOEXEC, 100);
            }
            for (from, (_, to)) in high.iter().zip(&moves) {
                if libc::dup2(*from, *to) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    command.spawn().expect("perl starts")
}

fn joined(key: &str, path: &Path) -> OsString {
    let mut text = OsString::from(key);
    text.push(path);
    text
}

pub fn nonblocking(fd: &OwnedFd) {
    rustix::io::ioctl_fionbio(fd, true).expect("nonblocking");
}

fn open_terminal() -> (OwnedFd, OwnedFd) {
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a terminal");
    grantpt(&master).expect("grant");
    unlockpt(&master).expect("unlock");
    let name = ptsname(&master, Vec::new()).expect("a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name, flags, Mode::empty()).expect("the other side");
    (master, slave)
}

/// A packet, owned.
#[derive(Debug, PartialEq)]
pub enum Packet {
    Attached,
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Exit {
        code: i32,
        oom: bool,
    },
    /// The connection ended.
    End,
}

/// A client's side of a connection.
pub struct Client(pub OwnedFd);

impl Client {
    pub fn send(&self, packet: &[u8]) {
        let sent = net::send(&self.0, packet, SendFlags::NOSIGNAL).expect("send");
        assert_eq!(sent, packet.len());
    }

    /// Takes the cleaning-up over. The monitor may be gone already: it waits for the foreground one only.
    pub fn done(&self) {
        let _ = net::send(&self.0, &[packet::DONE], SendFlags::NOSIGNAL);
    }

    pub fn send_data(&self, data: &[u8]) {
        let mut packet = vec![packet::STDIN];
        packet.extend_from_slice(data);
        self.send(&packet);
    }

    pub fn receive(&self) -> Packet {
        assert!(readable(self.0.as_fd(), 60_000), "a packet within a minute");
        let mut place = vec![0; packet::MAX_DATA + 1];
        let length = match net::recv(&self.0, &mut place[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(rustix::io::Errno::CONNRESET) => 0,
            Err(error) => panic!("receive: {error}"),
        };
        if length == 0 {
            return Packet::End;
        }
        match packet::from_monitor(&place[..length]).expect("a packet of ours") {
            FromMonitor::Attached => Packet::Attached,
            FromMonitor::Stdout(data) => Packet::Stdout(data.to_vec()),
            FromMonitor::Stderr(data) => Packet::Stderr(data.to_vec()),
            FromMonitor::Exit { code, oom } => Packet::Exit { code, oom },
        }
    }

    /// Reads output until it holds `text`.
    pub fn read_until(&self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            match self.receive() {
                Packet::Stdout(data) | Packet::Stderr(data) => {
                    read.push_str(&String::from_utf8_lossy(&data));
                }
                Packet::Attached => {}
                other => panic!("{other:?} after {read:?}, waiting for {text:?}"),
            }
        }
        read
    }

    /// All output until the exit packet: standard output, standard error, exit code.
    pub fn drain(&self) -> (Vec<u8>, Vec<u8>, i32) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match self.receive() {
                Packet::Attached => {}
                Packet::Stdout(data) => out.extend(data),
                Packet::Stderr(data) => err.extend(data),
                Packet::Exit { code, .. } => return (out, err, code),
                Packet::End => panic!("ended without an exit packet"),
            }
        }
    }
}

/// Whether `fd` has something to read within so many milliseconds.
pub fn readable(fd: BorrowedFd<'_>, timeout_ms: i64) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec {
        tv_sec: timeout_ms / 1000,
        tv_nsec: timeout_ms % 1000 * 1_000_000,
    };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).expect("poll") > 0
}

/// Tries until there is an answer.
pub fn within<T>(limit: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
