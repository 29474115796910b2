//! The command line beside docker's: each line of `compare/lines.txt` is run by docker 20.10 with its own daemon, by the
//! same docker with berth's daemon, and by berth without one. Output, errors and exit codes are the same but for what
//! stands in `differences`, each with its reason; what differs no more may not stand there.

mod differences;
mod normal;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::daemon::Daemon;
use testkit::{Dockerd, Finished, Sandbox};

use differences::{BERTH, BOTH, DAEMON, Difference, Part};

/// Every line that is run, and comments.
const LINES: &str = include_str!("compare/lines.txt");

/// Who runs the lines: a sandbox, and who is `docker` in it.
struct World {
    sandbox: Sandbox,
    /// Where docker's own command finds its daemon; `None`: `docker` is berth.
    host: Option<String>,
}

impl World {
    fn shell(&self, line: &str) -> Finished {
        let mut command = self.sandbox.command("/bin/sh");
        command.args(["-c", line]);
        if let Some(host) = &self.host {
            command
                .env("DOCKER_HOST", host)
                .env("PATH", "/usr/bin:/bin");
        }
        Finished::run(&mut command, b"", Duration::from_secs(60))
    }

    /// Runs all lines, one after the other.
    fn play(&self, archive: &Path) -> Vec<Finished> {
        let load = format!("docker load -q -i {}", archive.display());
        self.shell(&load).ok();
        let said = lines().map(|line| self.shell(line)).collect();
        self.shell("docker rm -fv $(docker ps -aq)");
        self.shell("docker volume rm $(docker volume ls -q)");
        said
    }
}

fn lines() -> impl Iterator<Item = &'static str> {
    let is_line = |line: &&str| !line.is_empty() && !line.starts_with('#');
    LINES.lines().filter(is_line)
}

/// An image for all, of one making.
fn archive() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::root().with_busybox();
    let path = sandbox.home().join("busybox.tar");
    sandbox
        .berth(&["save", "-o", &path.display().to_string(), "busybox"])
        .ok();
    (sandbox, path)
}

fn by_dockerd(archive: &Path) -> Vec<Finished> {
    let sandbox = Sandbox::root();
    // With its bridge, in a network namespace of its own.
    let daemon = Dockerd::start_apart(&sandbox);
    let host = Some(daemon.address());
    let world = World { sandbox, host };
    let said = world.play(archive);
    drop(daemon);
    said
}

fn by_berths_daemon(archive: &Path) -> Vec<Finished> {
    let sandbox = Sandbox::root();
    let daemon = Daemon::start(&sandbox, &[]);
    let host = Some(daemon.address());
    let world = World { sandbox, host };
    let said = world.play(archive);
    drop(daemon);
    said
}

fn by_berth(archive: &Path) -> Vec<Finished> {
    let sandbox = Sandbox::root();
    World {
        sandbox,
        host: None,
    }
    .play(archive)
}

/// What is compared of a line's end.
fn parts(ended: &Finished) -> [(Part, String); 3] {
    [
        (Part::Code, ended.code().to_string()),
        (Part::Output, normal::text(&ended.stdout)),
        (Part::Errors, normal::text(&ended.stderr)),
    ]
}

/// One part of a line that is not as docker's.
struct Found {
    line: &'static str,
    part: Part,
    theirs: String,
    ours: String,
}

fn compare(theirs: &[Finished], ours: &[Finished]) -> Vec<Found> {
    let mut found = Vec::new();
    for ((line, theirs), ours) in lines().zip(theirs).zip(ours) {
        for ((part, theirs), (_, ours)) in parts(theirs).into_iter().zip(parts(ours)) {
            if theirs != ours {
                found.push(Found {
                    line,
                    part,
                    theirs,
                    ours,
                });
            }
        }
    }
    found
}

/// Says what differs without a reason, and which reasons are for nothing.
fn judge(name: &str, found: &[Found], allowed: &[&[Difference]], report: &mut String) {
    let allowed = || allowed.iter().copied().flatten();
    for one in found {
        let Found {
            line,
            part,
            theirs,
            ours,
        } = one;
        let is_for = |entry: &Difference| {
            let fits = |allowed: &&str| *allowed == "*" || allowed == line;
            entry.parts.contains(part) && entry.lines.iter().any(fits)
        };
        if !allowed().any(is_for) {
            let _ = write!(
                report,
                "## {name}: {line}\n{part:?}, docker:\n{theirs}\n{part:?}, berth:\n{ours}\n"
            );
        }
    }
    for entry in allowed() {
        for (line, part) in entry
            .lines
            .iter()
            .flat_map(|line| entry.parts.iter().map(move |part| (line, part)))
        {
            let differs = |one: &Found| (*line == "*" || *line == one.line) && one.part == *part;
            if !found.iter().any(differs) {
                let _ = writeln!(report, "## {name}: {part:?} differs no more: {line}");
            }
        }
    }
}

#[test]
fn the_command_line_is_dockers() {
    let (_sandbox, archive) = archive();
    let (dockerd, daemon, berth) = std::thread::scope(|scope| {
        let dockerd = scope.spawn(|| by_dockerd(&archive));
        let daemon = scope.spawn(|| by_berths_daemon(&archive));
        let berth = scope.spawn(|| by_berth(&archive));
        (
            dockerd.join().unwrap(),
            daemon.join().unwrap(),
            berth.join().unwrap(),
        )
    });
    let mut report = String::new();
    judge(
        "daemon",
        &compare(&dockerd, &daemon),
        &[BOTH, DAEMON],
        &mut report,
    );
    judge(
        "berth",
        &compare(&dockerd, &berth),
        &[BOTH, BERTH],
        &mut report,
    );
    assert!(report.is_empty(), "{report}");
}
