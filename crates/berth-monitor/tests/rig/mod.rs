//! Plays the shim for the real monitor: perl starts the "init" and becomes the monitor by exec.

use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use berth_monitor::packet::{self, Wants};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::Value;
use testkit::attach::{Client, Packet};
use testkit::programs::monitor;

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
    /// Who is told each record besides.
    pub receiver: Option<Receiver>,
    /// Where the log goes; else the rig's directory.
    pub log_dir: Option<PathBuf>,
    pub oom: Option<PathBuf>,
    /// The monitor becomes `touch DIR/reaped`.
    pub reap: bool,
    pub uid: Option<u32>,
}

/// Somebody who is told.
pub struct Receiver {
    /// A `struct sockaddr`.
    pub address: Vec<u8>,
    pub stream: bool,
    pub bytes: u64,
    pub blocking: bool,
    pub template: &'static str,
}

/// A running monitor.
pub struct Rig {
    pub dir: tempfile::TempDir,
    pub log: PathBuf,
    pub monitor: Child,
    /// The foreground client, attached.
    pub foreground: Option<Client>,
}

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
        if options.terminal {
            let (master, slave) = open_terminal();
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
            let (client, theirs) = Client::foreground();
            fds.push((theirs, 4));
            line.push("client=4".into());
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
        if let Some(to) = &options.receiver {
            let digits = to.address.iter().map(|byte| format!("{byte:02x}"));
            line.extend([
                format!("to={}", digits.collect::<String>()).into(),
                format!("to-stream={}", u8::from(to.stream)).into(),
                format!("to-bytes={}", to.bytes).into(),
                format!("to-blocking={}", u8::from(to.blocking)).into(),
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
        Client::connect(&self.dir.path().join("shim.sock"))
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
    if let Some(to) = &options.receiver {
        command.env("BERTH_LOG_TEMPLATE", to.template);
    }
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

fn nonblocking(fd: &OwnedFd) {
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
