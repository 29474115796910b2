//! The monitor's command line, which the shim makes: `key=value` arguments in any order, then perhaps
//! `--` and the argv to become at the end.
//!
//! ```text
//! berth-monitor init=4242 listen=5 lock=6 exit=/…/exit.json
//!               [durable=1 removing=/…/removing]
//!               [stdout=7 stderr=8 | tty=7] [stdin=9] [stdin-once=1] [client=4]
//!               [log=10 log-path=/… log-bytes=10485760 log-files=3] [oom=/sys/fs/cgroup/…]
//!               [to=HEX to-stream=1 to-bytes=65536 to-blocking=1]
//!               [-- /usr/bin/berth internal reap ID]
//! ```
//! `init` is a pid that is the monitor's child; other numbers are open file descriptors. Streams of
//! the container are non-blocking at the monitor's end. The program at [`REAP`] is run by path.
//! `to` is the address (a `struct sockaddr`) of who is told each record besides, as a [`crate::template`] says.

use core::ffi::CStr;

/// The variable with the attributes of log records. They can be secrets, and everybody sees a command line.
pub const ATTRIBUTES: &[u8] = b"BERTH_LOG_ATTRIBUTES=";

/// What stands before the argv to become.
pub const REAP: &CStr = c"--";

/// A parsed command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Args<'a> {
    /// The container's init.
    pub init: i32,
    /// The listening socket.
    pub listen: i32,
    /// The lock that says that the monitor lives.
    pub lock: i32,
    /// Read end of the container's standard output.
    pub stdout: Option<i32>,
    /// Read end of the container's standard error.
    pub stderr: Option<i32>,
    /// Master of the container's terminal.
    pub tty: Option<i32>,
    /// Write end of the container's standard input; with a terminal it is the terminal.
    pub stdin: Option<i32>,
    /// Close standard input when a client that feeds it ends or goes.
    pub stdin_once: bool,
    /// The foreground client, connected from the start.
    pub client: Option<i32>,
    /// The log.
    pub log: Option<Log<'a>>,
    /// Who is told each record.
    pub receiver: Option<Receiver<'a>>,
    /// Where the exit is recorded.
    pub exit: &'a CStr,
    /// fsync the record.
    pub durable: bool,
    /// But not if this is there: the container is being removed, and its record goes with it.
    pub removing: Option<&'a CStr>,
    /// The memory cgroup's file that counts OOM kills.
    pub oom: Option<&'a CStr>,
    /// Index in the command line of the argv to become.
    pub reap: Option<usize>,
}

/// A rotated log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log<'a> {
    /// The current file, open for appending.
    pub fd: i32,
    /// Its path.
    pub path: &'a CStr,
    /// Bytes in a file; 0: no bound.
    pub max_bytes: u64,
    /// Number of files.
    pub max_files: u32,
    /// What each record says beside its text, [`ATTRIBUTES`]: an object of JSON, or nothing.
    pub attributes: &'a [u8],
}

/// Somebody who is told each record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receiver<'a> {
    /// Its `struct sockaddr` in hexadecimal digits.
    pub address: &'a CStr,
    /// It takes a stream; else a packet for each record.
    pub stream: bool,
    /// Bytes of records that wait for it, at most.
    pub queue_bytes: u64,
    /// While it takes none, and none can wait any more, the container waits; else what comes is dropped.
    pub blocking: bool,
    /// What it is told, [`crate::template`].
    pub template: &'a [u8],
}

/// What is wrong with a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error<'a> {
    /// Not `key=value`, an unknown key, or a value of the wrong sort.
    Bad(&'a CStr),
    /// A key that must be there is not.
    Missing(&'static str),
}

/// Reads a command line; the first item is the program's name.
///
/// # Errors
/// The argument that is wrong, or the key that is missing.
pub fn parse<'a>(line: impl Iterator<Item = &'a CStr>) -> Result<Args<'a>, Error<'a>> {
    let (mut init, mut listen, mut lock) = (None, None, None);
    let (mut stdout, mut stderr, mut tty, mut stdin) = (None, None, None, None);
    let (mut client, mut exit, mut oom, mut reap) = (None, None, None, None);
    let mut removing = None;
    let (mut log, mut log_path, mut log_bytes, mut log_files) = (None, None, 0, 1);
    let (mut stdin_once, mut durable) = (false, false);
    let (mut to, mut to_stream, mut to_bytes, mut to_blocking) = (None, false, 0, false);
    for (index, argument) in line.enumerate().skip(1) {
        if argument == REAP {
            reap = Some(index + 1);
            break;
        }
        let bytes = argument.to_bytes_with_nul();
        let bad = Error::Bad(argument);
        let equals = bytes.iter().position(|&byte| byte == b'=').ok_or(bad)?;
        let value = CStr::from_bytes_with_nul(&bytes[equals + 1..]).map_err(|_| bad)?;
        let number = || number(value).ok_or(bad);
        let fd = || number().and_then(|n| i32::try_from(n).map_err(|_| bad));
        match &bytes[..equals] {
            b"init" => init = Some(fd()?),
            b"listen" => listen = Some(fd()?),
            b"lock" => lock = Some(fd()?),
            b"stdout" => stdout = Some(fd()?),
            b"stderr" => stderr = Some(fd()?),
            b"tty" => tty = Some(fd()?),
            b"stdin" => stdin = Some(fd()?),
            b"client" => client = Some(fd()?),
            b"stdin-once" => stdin_once = number()? != 0,
            b"durable" => durable = number()? != 0,
            b"removing" => removing = Some(value),
            b"exit" => exit = Some(value),
            b"oom" => oom = Some(value),
            b"log" => log = Some(fd()?),
            b"log-path" => log_path = Some(value),
            b"log-bytes" => log_bytes = number()?,
            b"to" => to = Some(value),
            b"to-stream" => to_stream = number()? != 0,
            b"to-bytes" => to_bytes = number()?,
            b"to-blocking" => to_blocking = number()? != 0,
            b"log-files" => log_files = u32::try_from(number()?).map_err(|_| bad)?,
            _ => return Err(bad),
        }
    }
    let log = match (log, log_path) {
        (Some(fd), Some(path)) => Some(Log {
            fd,
            path,
            max_bytes: log_bytes,
            max_files: log_files,
            attributes: b"",
        }),
        (Some(_), None) => return Err(Error::Missing("log-path")),
        (None, _) => None,
    };
    Ok(Args {
        init: init.filter(|&pid| pid > 0).ok_or(Error::Missing("init"))?,
        listen: listen.ok_or(Error::Missing("listen"))?,
        lock: lock.ok_or(Error::Missing("lock"))?,
        stdout,
        stderr,
        tty,
        stdin,
        stdin_once,
        client,
        log,
        receiver: to.map(|address| Receiver {
            address,
            stream: to_stream,
            queue_bytes: to_bytes,
            blocking: to_blocking,
            template: b"",
        }),
        exit: exit.ok_or(Error::Missing("exit"))?,
        durable,
        removing,
        oom,
        reap,
    })
}

/// Writes the bytes that pairs of hexadecimal digits mean to the begin of `place`; how many. `None`: they are no such
/// pairs, or too many.
pub fn bytes(digits: &[u8], place: &mut [u8]) -> Option<usize> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (at, pair) in digits.chunks(2).enumerate() {
        let [high, low] = pair else { return None };
        *place.get_mut(at)? = (digit(*high)? << 4 | digit(*low)?) as u8;
    }
    Some(digits.len() / 2)
}

fn number(text: &CStr) -> Option<u64> {
    let digits = text.to_bytes();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_line() {
        let line = [
            c"berth-monitor",
            c"init=42",
            c"listen=5",
            c"lock=6",
            c"exit=/e=f",
            c"durable=1",
            c"removing=/r",
            c"stdout=7",
            c"stderr=8",
            c"stdin=9",
            c"stdin-once=1",
            c"client=4",
            c"log=10",
            c"log-path=/l",
            c"log-bytes=99",
            c"log-files=3",
            c"oom=/o",
            c"to=0100",
            c"to-stream=1",
            c"to-bytes=9",
            c"to-blocking=1",
            c"--",
            c"/bin/x",
            c"init=nonsense",
        ];
        let args = parse(line.into_iter()).unwrap();
        assert_eq!((args.init, args.listen, args.lock), (42, 5, 6));
        assert_eq!(
            (args.stdout, args.stderr, args.stdin, args.tty),
            (Some(7), Some(8), Some(9), None)
        );
        assert_eq!(
            (args.exit, args.oom, args.client),
            (c"/e=f", Some(c"/o"), Some(4))
        );
        assert!(args.durable && args.stdin_once);
        assert_eq!(args.removing, Some(c"/r"));
        assert_eq!(
            args.log,
            Some(Log {
                fd: 10,
                path: c"/l",
                max_bytes: 99,
                max_files: 3,
                attributes: b""
            })
        );
        let receiver = args.receiver.unwrap();
        assert_eq!((receiver.address, receiver.queue_bytes), (c"0100", 9));
        assert!(receiver.stream && receiver.blocking);
        assert_eq!(args.reap.map(|at| line[at]), Some(c"/bin/x"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let parse = |line: &[&'static CStr]| {
            parse([c"m"].into_iter().chain(line.iter().copied())).unwrap_err()
        };
        assert_eq!(parse(&[]), Error::Missing("init"));
        assert_eq!(parse(&[c"init=0"]), Error::Missing("init"));
        assert_eq!(
            parse(&[c"init=1", c"listen=2", c"lock=3"]),
            Error::Missing("exit")
        );
        for bad in [
            c"init",
            c"init=",
            c"init=-1",
            c"init=1x",
            c"init=99999999999",
            c"colour=1",
            c"",
        ] {
            assert_eq!(parse(&[bad]), Error::Bad(bad), "{bad:?}");
        }
        assert_eq!(
            parse(&[c"init=1", c"listen=2", c"lock=3", c"exit=/e", c"log=1"]),
            Error::Missing("log-path")
        );
    }

    #[test]
    fn digits_are_bytes() {
        let mut place = [0; 3];
        assert_eq!(bytes(b"01fFa0", &mut place), Some(3));
        assert_eq!(place, [1, 255, 160]);
        assert_eq!(bytes(b"", &mut place), Some(0));
        for bad in [&b"0"[..], b"0g", b"01020304", b"\xE9"] {
            assert_eq!(bytes(bad, &mut place), None);
        }
    }
}
