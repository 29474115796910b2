//! The processes of a container, as `docker top` shows them.
//!
//! Read from the cgroup and the host's `/proc`: nothing of the container's, least of all its own
//! `ps`, is ever run (security: D37).
//!
//! Source: proc_pid_stat(5), proc_pid_status(5).

use std::path::Path;
use std::time::Duration;

use berth_cgroup::Cgroup;
use berth_model::ContainerId;

use crate::logs::print::steers;
use crate::{Engine, Error};

/// All columns that can be asked for, with the word for `-o`.
const KNOWN: [(&str, &str); 14] = [
    ("uid", "UID"),
    ("user", "USER"),
    ("pid", "PID"),
    ("ppid", "PPID"),
    ("c", "C"),
    ("stime", "STIME"),
    ("tty", "TTY"),
    ("time", "TIME"),
    ("cmd", "CMD"),
    ("args", "COMMAND"),
    ("comm", "COMMAND"),
    ("stat", "STAT"),
    ("rss", "RSS"),
    ("vsz", "VSZ"),
];

/// The processes, one row each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The columns' titles.
    pub titles: Vec<String>,
    /// In the order of pids, as many cells as titles.
    pub rows: Vec<Vec<String>>,
}

impl Engine {
    /// Lists the processes of a running container. `args` are those of ps(1), as far as they
    /// choose columns: `-ef` (the default), `aux`, `-o pid,comm`.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it does not run, [`Error::Invalid`] for other arguments.
    pub fn top(&self, id: &ContainerId, args: &[String]) -> Result<Top, Error> {
        let wanted = columns(args)?;
        let container = self.inspect(id)?;
        let pid = container
            .pid
            .filter(|_| container.status.is_alive())
            .ok_or(Error::WrongState {
                action: "list the processes of",
                id: id.short().to_owned(),
                state: container.status.word(),
                hint: "start it first",
            })?;
        let failed = |source| Error::Cgroup {
            action: "read",
            source,
        };
        let mut pids = Cgroup::open(&pid.cgroups)
            .and_then(|cgroup| cgroup.procs())
            .map_err(failed)?;
        if pids.is_empty() {
            // Rootless without a cgroup of its own: who shares init's pid namespace.
            pids = same_namespace(pid.pid);
        }
        self.record_of(id, "top");
        let now = Now::read();
        let rows = pids.iter().filter_map(|pid| Process::read(*pid));
        Ok(Top {
            titles: wanted
                .iter()
                .map(|(_, title)| (*title).to_owned())
                .collect(),
            rows: rows
                .map(|process| {
                    let cells = wanted.iter().map(|(word, _)| process.cell(word, &now));
                    cells.collect()
                })
                .collect(),
        })
    }
}

/// The columns that arguments of ps(1) choose, as (word, title).
fn columns(args: &[String]) -> Result<Vec<(&'static str, &'static str)>, Error> {
    let by_words = |words: &[&str]| {
        let find = |word: &&str| KNOWN.iter().find(|(known, _)| known == word).copied();
        words
            .iter()
            .map(|word| find(word).ok_or_else(|| (*word).to_owned()))
            .collect::<Result<Vec<_>, _>>()
    };
    let text = args.join(" ");
    let chosen = match text.as_str() {
        "" | "-ef" | "ef" | "-f" | "-e -f" => {
            by_words(&["uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd"])
        }
        "aux" | "-aux" => by_words(&[
            "user", "pid", "vsz", "rss", "tty", "stat", "stime", "time", "args",
        ]),
        other => {
            let list = other
                .trim_start_matches("-eo")
                .trim_start_matches("-o")
                .trim_start_matches('o')
                .trim();
            let words: Vec<&str> = list
                .split([',', ' '])
                .filter(|word| !word.is_empty() && *word != "-o")
                .collect();
            let chosen = other.trim_start_matches('-').starts_with(['o', 'e']) && !words.is_empty();
            if chosen {
                by_words(&words)
            } else {
                Err(other.to_owned())
            }
        }
    };
    chosen.map_err(|word| Error::Invalid {
        message: format!("`{word}` is not understood by top"),
        hint: Some("it takes -ef, aux, or -o with some of: uid user pid ppid c stime tty time cmd args comm stat rss vsz".into()),
    })
}

/// One process.
struct Process {
    pid: i32,
    uid: u32,
    comm: String,
    state: String,
    ppid: i32,
    tty: u32,
    cpu: Duration,
    /// After the boot.
    started: Duration,
    vsz_kib: u64,
    rss_kib: u64,
    args: String,
}

/// The time by both clocks.
struct Now {
    /// Since the boot.
    uptime: Duration,
    wall: jiff::ZonedDateTime,
}

impl Now {
    fn read() -> Now {
        let boottime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Now {
            // Neither is ever negative.
            uptime: Duration::new(boottime.tv_sec as u64, boottime.tv_nsec as u32),
            wall: jiff::ZonedDateTime::now(),
        }
    }
}

/// Clock ticks a second in `/proc`: fixed for user space on every architecture that berth runs on.
const TICKS: u64 = 100;

impl Process {
    /// `None` when it is gone.
    fn read(pid: i32) -> Option<Process> {
        let dir = format!("/proc/{pid}");
        let dir = Path::new(&dir);
        let stat = std::fs::read(dir.join("stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let status = std::fs::read(dir.join("status")).ok()?;
        let status = String::from_utf8_lossy(&status);
        let cmdline = std::fs::read(dir.join("cmdline")).unwrap_or_default();
        Process::parse(pid, &stat, &status, &cmdline)
    }

    fn parse(pid: i32, stat: &str, status: &str, cmdline: &[u8]) -> Option<Process> {
        // The name may hold anything, also `)`.
        let (head, tail) = stat.rsplit_once(") ")?;
        let comm = printable(head.split_once('(')?.1);
        let fields: Vec<&str> = tail.split(' ').collect();
        let number = |at: usize| fields.get(at - 3).and_then(|f| f.parse::<u64>().ok());
        let of = |key: &str| {
            status
                .lines()
                .find_map(|l| l.strip_prefix(key))
                .map(str::trim)
        };
        let kib = |key: &str| {
            of(key)
                .and_then(|v| v.split(' ').next()?.parse().ok())
                .unwrap_or(0)
        };
        let words = cmdline.split(|b| *b == 0).map(String::from_utf8_lossy);
        let args = printable(words.collect::<Vec<_>>().join(" ").trim_end());
        Some(Process {
            pid,
            uid: of("Uid:")?.split_whitespace().nth(1)?.parse().ok()?,
            // A kernel thread or a zombie has no arguments left.
            args: if args.is_empty() {
                format!("[{comm}]")
            } else {
                args
            },
            comm,
            state: (*fields.first()?).to_owned(),
            ppid: fields.get(1)?.parse().ok()?,
            tty: number(7)? as u32,
            cpu: ticks(number(14)? + number(15)?),
            started: ticks(number(22)?),
            vsz_kib: kib("VmSize:"),
            rss_kib: kib("VmRSS:"),
        })
    }

    fn cell(&self, word: &str, now: &Now) -> String {
        match word {
            "uid" | "user" => self.uid_name(),
            "pid" => self.pid.to_string(),
            "ppid" => self.ppid.to_string(),
            "c" => self.percent(now).to_string(),
            "stime" => self.stime(now),
            "tty" => self.tty_name(),
            "time" => clock(self.cpu),
            "cmd" | "args" => self.args.clone(),
            "comm" => self.comm.clone(),
            "stat" => self.state.clone(),
            "rss" => self.rss_kib.to_string(),
            "vsz" => self.vsz_kib.to_string(),
            _ => String::new(),
        }
    }

    /// The host's name for the uid is no name inside, so the number stands, but for root.
    fn uid_name(&self) -> String {
        if self.uid == 0 {
            "root".to_owned()
        } else {
            self.uid.to_string()
        }
    }

    fn age(&self, now: &Now) -> Duration {
        now.uptime.saturating_sub(self.started)
    }

    /// Share of one CPU over its life, in percent.
    fn percent(&self, now: &Now) -> u64 {
        let age = self.age(now).as_millis().max(1);
        (self.cpu.as_millis() * 100 / age).min(99) as u64
    }

    /// `HH:MM` today, else the day.
    fn stime(&self, now: &Now) -> String {
        let started = now.wall.saturating_sub(self.age(now));
        let form = if started.date() == now.wall.date() {
            "%H:%M"
        } else {
            "%b%d"
        };
        started.strftime(form).to_string()
    }

    fn tty_name(&self) -> String {
        let (major, minor) = (
            self.tty >> 8 & 0xfff,
            self.tty & 0xff | self.tty >> 12 & 0xfff00,
        );
        match major {
            0 => "?".to_owned(),
            136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
            4 => format!("tty{minor}"),
            _ => format!("{major}:{minor}"),
        }
    }
}

fn ticks(n: u64) -> Duration {
    Duration::from_millis(n * 1000 / TICKS)
}

/// `HH:MM:SS`.
fn clock(time: Duration) -> String {
    let s = time.as_secs();
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// A process names itself.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if steers(c) { '?' } else { c })
        .collect()
}

/// Processes in the pid namespace of `init` (not those of namespaces below it).
fn same_namespace(init: i32) -> Vec<i32> {
    let namespace = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(own) = namespace(init) else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return vec![init];
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut pids: Vec<i32> = pids
        .filter(|pid| namespace(*pid).as_ref() == Some(&own))
        .collect();
    pids.sort_unstable();
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_field() {
        let stat =
            "42 (a) b\x1b(x) S 7 42 42 34816 42 4194560 1 0 0 0 150 50 0 0 20 0 1 0 12345 1 1";
        let status = "Name:\tx\nUid:\t0\t1000\t0\t0\nVmSize:\t  100 kB\nVmRSS:\t   40 kB\n";
        let args = "sleep\x00\x1b[31m\u{202e}\x001\x00".as_bytes();
        let process = Process::parse(42, stat, status, args).unwrap();
        let now = Now::read();
        assert_eq!(process.cell("comm", &now), "a) b?(x");
        assert_eq!(process.cell("ppid", &now), "7");
        assert_eq!(process.cell("uid", &now), "1000");
        assert_eq!(process.cell("tty", &now), "pts/0");
        assert_eq!(process.cell("time", &now), "00:00:02");
        assert_eq!(process.cell("cmd", &now), "sleep ?[31m? 1");
        assert_eq!(process.cell("rss", &now), "40");
        assert_eq!(process.started, Duration::from_millis(123_450));
    }

    #[test]
    fn this_process_is_found() {
        let me = std::process::id() as i32;
        let (process, now) = (Process::read(me).unwrap(), Now::read());
        assert_eq!(process.cell("pid", &now), me.to_string());
        assert!(same_namespace(me).contains(&me));
        assert!(process.age(&now) < Duration::from_secs(3600));
    }

    #[test]
    fn columns_as_ps_has_them() {
        let titles = |text: &str| {
            let args: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            columns(&args).map(|c| c.iter().map(|(_, title)| *title).collect::<Vec<_>>())
        };
        let of_ps = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
        assert_eq!(titles("").unwrap(), of_ps);
        assert_eq!(titles("-ef").unwrap(), of_ps);
        assert_eq!(titles("-o pid,comm").unwrap(), ["PID", "COMMAND"]);
        assert_eq!(titles("-eo pid").unwrap(), ["PID"]);
        assert_eq!(titles("aux").unwrap()[0], "USER");
        assert!(titles("-o pid,secret").is_err());
        assert!(titles("--forest").is_err());
    }
}
