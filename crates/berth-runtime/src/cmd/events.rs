//! `events`: what a container uses, again and again, and that it has run out of memory. One JSON object a
//! line:
//!
//! ```text
//! {"type":"stats","id":"x","data":{"cpu":{…},"memory":{…},…}}
//! {"type":"oom","id":"x"}
//! ```
//! It ends with the container, with `--stats` after one line.
//!
//! Source: runc-events(8).

mod shape;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use berth_cgroup::Cgroup;
use berth_oci::spec::{NamespaceKind, Spec};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::{Value, json};

use super::args::{Args, unknown, usage};
use super::{Global, print_compact, wrong_state};
use crate::error::{Result, step};
use crate::state::{Record, Status};
use crate::{pid, rdt};

/// Between two lines, unless told otherwise.
const INTERVAL: Duration = Duration::from_secs(5);
/// What is longer than this is for ever, and the clock has an end: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let (mut interval, mut once) = (INTERVAL, false);
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "--interval" => {
                let text = args.value()?;
                interval = duration(&text).ok_or_else(|| {
                    usage(format!(
                        "invalid value for interval: `{text}` is no duration"
                    ))
                })?;
            }
            "--stats" => once = args.flag()?,
            other => return Err(unknown(other)),
        }
    }
    let id = args.only_operand("the container's id")?;
    if interval.is_zero() {
        return Err(usage("duration interval must be greater than 0".to_owned()));
    }
    let dir = global.root.find(&id)?;
    let (record, status) = dir.known("show the events of")?;
    if status == Status::Stopped {
        return Err(wrong_state("show the events of", &id, status));
    }
    let container = Container {
        cgroup: Cgroup::open(&record.cgroups)?,
        spec: dir.spec()?,
        record,
    };
    if once {
        container.print_stats()?;
    } else {
        container.follow(interval)?;
    }
    Ok(0)
}

struct Container {
    record: Record,
    spec: Spec,
    cgroup: Cgroup,
}

impl Container {
    fn follow(&self, interval: Duration) -> Result<()> {
        let Some(init) = pid::open(self.record.pid, self.record.start_time)? else {
            return Ok(());
        };
        let mut watch = self.cgroup.watch_oom()?;
        let interval = interval.min(LONGEST);
        let mut next = Instant::now() + interval;
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(watch.as_fd(), PollFlags::IN),
                PollFd::new(&init, PollFlags::IN),
            ];
            match poll(&mut fds, Some(&until(next))) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(step("wait for the container's events", errno)),
            }
            let ended = !fds[1].revents().is_empty();
            // Memory ran out before the end that it led to.
            if watch.struck()? {
                self.print("oom", None)?;
            }
            if ended {
                return Ok(());
            }
            if Instant::now() >= next {
                self.print_stats()?;
                // What was missed (stopped, say) is not made up for.
                next = (next + interval).max(Instant::now());
            }
        }
    }

    fn print_stats(&self) -> Result<()> {
        let counters = self.cgroup.counters()?;
        let linux = self.spec.linux.as_ref();
        let rdt = match linux.and_then(|l| l.intel_rdt.as_ref()) {
            Some(asked) => rdt::stats(asked, &self.record.id)?,
            None => json!({}),
        };
        // Without a network of its own those are the host's.
        let own = linux.and_then(|l| l.namespace(NamespaceKind::Network));
        let network = match own.is_some() {
            true => std::fs::read_to_string(format!("/proc/{}/net/dev", self.record.pid)).ok(),
            false => None,
        };
        let data = shape::stats(&counters, rdt, network.as_deref());
        self.print("stats", Some(data))
    }

    fn print(&self, kind: &str, data: Option<Value>) -> Result<()> {
        let mut event = json!({ "type": kind, "id": self.record.id });
        if let Some(data) = data {
            event["data"] = data;
        }
        print_compact(&event)
    }
}

fn until(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: left.subsec_nanos().into(),
    }
}

/// `1m30s`, `1.5h`, `100ms`. Source: Go's time.ParseDuration, which other runtimes use.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    if text.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = rest.split_at(end.unwrap_or(rest.len()));
        total += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = after;
    }
    Duration::try_from_secs_f64(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("5s", Some(5000)),
            ("100ms", Some(100)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("-1s", None),
            ("s", None),
            ("5x", None),
        ] {
            assert_eq!(duration(text).map(|d| d.as_millis()), millis, "{text}");
        }
    }
}
