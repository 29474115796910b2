//! The real monitor over real processes: output, input, exit, and who cleans up.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::{Duration, Instant};

use berth_monitor::packet::{self, Wants};
use rig::{Options, Rig, within};
use testkit::attach::{ALL, Client, Packet};
use testkit::programs::{monitor, private_kib};

const LOGGED: Option<(u64, u32)> = Some((10 << 20, 3));

#[test]
fn output_is_logged_and_the_exit_recorded() {
    let options = Options {
        rotation: LOGGED,
        durable: true,
        reap: true,
        ..Options::default()
    };
    let mut rig = Rig::start(
        r"printf 'one\ntwo\n\nend'; printf 'bad \377\n' >&2; exit 7",
        options,
    );
    assert!(rig.wait().success());
    assert_eq!(rig.logged("stdout"), "one\ntwo\n\nend");
    assert_eq!(rig.logged("stderr"), "bad \u{fffd}\n");
    let lines = rig
        .records()
        .iter()
        .filter(|record| record["stream"] == "stdout")
        .count();
    assert_eq!(lines, 4);
    let exit = rig.exit();
    assert_eq!(exit["code"], 7);
    assert_eq!(exit["oom_killed"], false);
    let time = exit["finished_at"].as_str().unwrap();
    assert!(time.starts_with("20") && time.len() == 30, "{time}");
    assert!(rig.is_reaped());
    assert!(!rig.dir.path().join("exit.json.tmp").exists());
}

#[test]
fn a_signal_is_128_and_more() {
    let mut rig = Rig::start("kill -TERM $$; sleep 5", Options::default());
    rig.wait();
    assert_eq!(rig.exit()["code"], 143);
}

#[test]
fn an_init_that_is_no_child_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let exit = dir.path().join("exit.json");
    let status = Command::new(monitor())
        .args(["init=1", "listen=2", "lock=2"])
        .arg(format!("exit={}", exit.display()))
        .status()
        .unwrap();
    assert!(status.success());
    let exit: serde_json::Value = serde_json::from_slice(&fs::read(exit).unwrap()).unwrap();
    assert_eq!((&exit["code"], &exit["lost"]), (&137.into(), &true.into()));
}

/// The record lasts as soon as it can be seen, unless it goes with its container.
#[test]
fn a_record_that_is_to_be_removed_waits_for_no_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (exit, removing) = (dir.path().join("exit.json"), dir.path().join("removing"));
    let syncs = || {
        let output = Command::new("strace")
            .args(["-f", "-e", "trace=fsync"])
            .arg(monitor())
            .args(["init=1", "listen=2", "lock=2", "durable=1"])
            .arg(format!("exit={}", exit.display()))
            .arg(format!("removing={}", removing.display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(exit.exists());
        String::from_utf8_lossy(&output.stderr)
            .matches("fsync(")
            .count()
    };
    assert_eq!(syncs(), 2);
    fs::write(&removing, "").unwrap();
    assert_eq!(syncs(), 0);
}

#[test]
fn the_oom_flag_comes_from_the_cgroup() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n").unwrap();
    let options = Options {
        oom: Some(file.path().to_owned()),
        foreground: true,
        ..Options::default()
    };
    let mut rig = Rig::start("kill -KILL $$", options);
    let client = rig.foreground.take().unwrap();
    assert_eq!(client.receive(), Packet::Attached);
    assert_eq!(
        client.receive(),
        Packet::Exit {
            code: 137,
            oom: true
        }
    );
    assert_eq!(rig.exit()["oom_killed"], true);
}

#[test]
fn much_output_arrives_intact_at_each_client() {
    const BYTES: usize = 200_000_000;
    let line = format!("{}\n", "0123456789abcdef-".repeat(57));
    let options = Options {
        foreground: true,
        rotation: LOGGED,
        ..Options::default()
    };
    let script = format!("read go; yes '{}' | head -c {BYTES}", line.trim_end());
    let mut rig = Rig::start(
        &script,
        Options {
            stdin: true,
            ..options
        },
    );
    let foreground = rig.foreground.take().unwrap();
    let second = rig.attach(Wants {
        stdout: true,
        ..Wants::default()
    });
    foreground.send_data(b"go\n");
    let expected = line.repeat(BYTES / line.len() + 1);
    let check = |client: Client| {
        let (out, err, code) = client.drain();
        assert_eq!((out.len(), err.len(), code), (BYTES, 0, 0));
        assert!(out == expected.as_bytes()[..BYTES], "not a byte differs");
        client.done();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| check(second));
        check(foreground);
    });
    assert!(rig.wait().success());
}

/// N19, D33.
#[test]
fn a_flood_stays_within_the_rotations_bound() {
    const CAP: u64 = 1 << 20;
    let options = Options {
        rotation: Some((CAP, 3)),
        ..Options::default()
    };
    let mut rig = Rig::start("seq 1 2000000", options);
    rig.wait();
    let mut total = 0;
    for name in ["log.json", "log.json.1", "log.json.2"] {
        let length = fs::metadata(rig.dir.path().join(name)).unwrap().len();
        assert!(length <= CAP, "{name}: {length}");
        total += length;
    }
    assert!(total > 2 * CAP, "the older files are full: {total}");
    assert!(!rig.dir.path().join("log.json.3").exists());
    let text = rig.logged("stdout");
    let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers.last(), Some(&2_000_000));
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "no gap"
    );
}

#[test]
fn one_file_is_emptied_when_full() {
    let options = Options {
        rotation: Some((4096, 1)),
        ..Options::default()
    };
    let mut rig = Rig::start("seq 1 10000", options);
    rig.wait();
    assert!(fs::metadata(&rig.log).unwrap().len() <= 4096);
    assert!(rig.logged("stdout").ends_with("9999\n10000\n"));
    assert_eq!(
        fs::read_dir(rig.dir.path()).unwrap().count(),
        4,
        "log, exit, socket, lock"
    );
}

#[test]
fn an_endless_line_of_nuls_is_cut_in_pieces() {
    let options = Options {
        rotation: Some((0, 1)),
        ..Options::default()
    };
    let mut rig = Rig::start("head -c 3000000 /dev/zero; printf 'x\\ny'", options);
    rig.wait();
    let records = rig.records();
    for record in &records {
        assert!(record["log"].as_str().unwrap().len() <= 16 * 1024 + 1);
    }
    assert!(records.len() >= 183);
    assert_eq!(
        rig.logged("stdout"),
        format!("{}x\ny", "\0".repeat(3_000_000))
    );
}

#[test]
fn a_record_cannot_be_forged() {
    let options = Options {
        rotation: LOGGED,
        ..Options::default()
    };
    let hostile = r#"printf '\r{"log":"fake","stream":"stderr","time":"2020"}\033]0;x\007\r\n'"#;
    let mut rig = Rig::start(hostile, options);
    rig.wait();
    assert_eq!(rig.records().len(), 1);
    assert_eq!(rig.logged("stderr"), "");
    let raw = fs::read_to_string(&rig.log).unwrap();
    assert!(!raw.trim_end_matches('\n').contains(char::is_control));
}

#[test]
fn a_grandchild_that_holds_the_output_does_not_delay_the_end() {
    let options = Options {
        rotation: LOGGED,
        foreground: true,
        ..Options::default()
    };
    let mut rig = Rig::start("sleep 1000 & echo $!; exit 3", options);
    let start = Instant::now();
    let client = rig.foreground.take().unwrap();
    let (out, _, code) = client.drain();
    assert_eq!(code, 3);
    client.done();
    assert!(rig.wait().success());
    assert!(start.elapsed() < Duration::from_secs(5));
    let sleeper: i32 = String::from_utf8(out).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(sleeper).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    assert_eq!(rig.logged("stdout"), format!("{sleeper}\n"));
}

#[test]
fn orphans_are_reaped() {
    let rig = Rig::start("(sleep 0.1 & exit) & sleep 30", Options::default());
    let pid = rig.monitor.id();
    std::thread::sleep(Duration::from_millis(600));
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    assert_eq!(
        children.split_whitespace().count(),
        1,
        "init alone: {children}"
    );
}

#[test]
fn a_client_that_does_not_read_loses_nothing() {
    let options = Options {
        rotation: Some((1 << 20, 2)),
        ..Options::default()
    };
    let mut rig = Rig::start("sleep 0.5; seq 1 1000000", options);
    let slow = rig.attach(ALL);
    let fast = rig.attach(ALL);
    std::thread::sleep(Duration::from_secs(1));
    assert!(
        !rig.dir.path().join("exit.json").exists(),
        "the container waits for the slow one"
    );
    let expected: String = (1..=1_000_000).map(|n| format!("{n}\n")).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(fast.drain().0 == expected.as_bytes()));
        assert!(slow.drain().0 == expected.as_bytes());
    });
    assert!(rig.wait().success());
}

#[test]
fn the_exit_is_noticed_while_a_client_does_not_read() {
    let options = Options {
        rotation: LOGGED,
        foreground: true,
        ..Options::default()
    };
    let mut rig = Rig::start("head -c 100000000 /dev/zero & sleep 0.5; exit 9", options);
    let client = rig.foreground.take().unwrap();
    assert_eq!(rig.exit()["code"], 9);
    assert!(
        rig.monitor.try_wait().unwrap().is_none(),
        "output still waits for the client"
    );
    drop(client);
    assert!(rig.wait().success());
}

#[test]
fn sigterm_ends_only_a_monitor_whose_init_is_dead() {
    let options = Options {
        foreground: true,
        reap: true,
        ..Options::default()
    };
    let mut rig = Rig::start("sleep 0.5; head -c 500000 /dev/zero & exit 0", options);
    let pid = rustix::process::Pid::from_child(&rig.monitor);
    let client = rig.foreground.as_ref().unwrap();
    assert_eq!(
        client.receive(),
        Packet::Attached,
        "from here on it is the monitor"
    );
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        rustix::process::kill_process(pid, signal).unwrap();
    }
    rig.exit();
    assert!(rig.monitor.try_wait().unwrap().is_none());
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    rig.wait();
    assert!(rig.is_reaped());
}

#[test]
fn input_ends_with_the_client_that_feeds_it() {
    let options = Options {
        stdin: true,
        stdin_once: true,
        foreground: true,
        ..Options::default()
    };
    let mut rig = Rig::start("cat; echo end >&2", options);
    let client = rig.foreground.take().unwrap();
    let data: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    let (out, err, code) = std::thread::scope(|scope| {
        scope.spawn(|| {
            data.chunks(packet::MAX_DATA)
                .for_each(|chunk| client.send_data(chunk));
            client.send(&[packet::STDIN_END]);
        });
        client.drain()
    });
    assert!(out == data);
    assert_eq!((err.as_slice(), code), (&b"end\n"[..], 0));
    client.done();
    rig.wait();

    // Going without a word ends it as well; what was sent before still arrives.
    let options = Options {
        stdin: true,
        stdin_once: true,
        rotation: LOGGED,
        ..Options::default()
    };
    let mut rig = Rig::start("cat", options);
    let client = rig.attach(Wants {
        stdin: true,
        ..Wants::default()
    });
    client.send_data(b"last words\n");
    drop(client);
    rig.wait();
    assert_eq!(rig.logged("stdout"), "last words\n");
}

#[test]
fn input_stays_open_without_stdin_once() {
    let options = Options {
        stdin: true,
        ..Options::default()
    };
    let rig = Rig::start("cat", options);
    let first = rig.attach(ALL);
    first.send_data(b"1");
    assert_eq!(first.read_until("1"), "1");
    first.send(&[packet::STDIN_END]);
    drop(first);
    let second = rig.attach(ALL);
    second.send_data(b"2");
    assert_eq!(second.read_until("2"), "2");
}

#[test]
fn a_watcher_may_attach_while_input_is_stuck() {
    let rig = Rig::start(
        "echo ready; sleep 30",
        Options {
            stdin: true,
            ..Options::default()
        },
    );
    let feeder = rig.attach(Wants {
        stdin: true,
        ..Wants::default()
    });
    (0..4).for_each(|_| feeder.send_data(&[b'x'; packet::MAX_DATA]));
    std::thread::sleep(Duration::from_millis(100));
    rig.attach(Wants {
        stdout: true,
        ..Wants::default()
    });
    let usage = || fs::read_to_string(format!("/proc/{}/stat", rig.monitor.id())).unwrap();
    let ticks = |stat: &str| stat.split(' ').nth(13).unwrap().parse::<u64>().unwrap();
    let before = ticks(&usage());
    drop(feeder);
    std::thread::sleep(Duration::from_millis(500));
    assert!(
        ticks(&usage()) - before < 10,
        "does not spin on the hang-up"
    );
}

#[test]
fn a_terminal_that_resizes() {
    let options = Options {
        terminal: true,
        stdin: true,
        foreground: true,
        rotation: LOGGED,
        ..Options::default()
    };
    let script = r#"trap 'stty size' WINCH; echo ready; while :; do read -t 0.1 -r x && break; done; echo "got $x""#;
    let mut rig = Rig::start(script, options);
    let client = rig.foreground.take().unwrap();
    client.read_until("ready");
    client.send(&packet::resize(33, 101));
    client.read_until("33 101");
    client.send_data(b"hello\r");
    let rest = client.read_until("got hello");
    assert!(rest.contains("hello\r\n"), "echoed: {rest:?}");
    let (_, _, code) = client.drain();
    assert_eq!(code, 0);
    client.done();
    rig.wait();
    assert!(rig.logged("stdout").contains("got hello\r\n"));
}

#[test]
fn a_terminals_last_words_are_not_lost() {
    for _ in 0..20 {
        let options = Options {
            terminal: true,
            foreground: true,
            ..Options::default()
        };
        let mut rig = Rig::start("echo $(seq 1 500)", options);
        let client = rig.foreground.take().unwrap();
        let (out, _, _) = client.drain();
        assert!(
            out.ends_with(b" 499 500\r\n"),
            "{:?}",
            String::from_utf8_lossy(&out)
        );
        client.done();
        rig.wait();
    }
}

#[test]
fn a_terminal_that_nobody_has_open_is_not_at_its_end() {
    let options = Options {
        terminal: true,
        rotation: LOGGED,
        ..Options::default()
    };
    let script = "exec 3</dev/tty; exec <&- >&- 2>&- 3<&-; sleep 0.5; echo back >/dev/tty";
    let mut rig = Rig::start(script, options);
    rig.wait();
    assert_eq!(rig.logged("stdout"), "back\r\n");
}

#[test]
fn the_foreground_client_may_clean_up_itself() {
    let options = || Options {
        foreground: true,
        reap: true,
        ..Options::default()
    };
    let mut rig = Rig::start("exit 4", options());
    let client = rig.foreground.take().unwrap();
    assert_eq!(client.drain().2, 4);
    client.done();
    assert_eq!(client.receive(), Packet::End);
    assert!(rig.wait().success());
    assert!(!rig.is_reaped());

    // Gone without a word after the exit, and gone before it.
    let mut rig = Rig::start("exit 4", options());
    let client = rig.foreground.take().unwrap();
    assert_eq!(client.drain().2, 4);
    drop(client);
    rig.wait();
    assert!(rig.is_reaped());
    let mut rig = Rig::start("sleep 0.2; exit 4", options());
    drop(rig.foreground.take());
    rig.wait();
    assert!(rig.is_reaped());
}

#[test]
fn a_later_client_learns_the_exit_but_does_not_prevent_the_clean_up() {
    let mut rig = Rig::start(
        "read x; exit 5",
        Options {
            stdin: true,
            reap: true,
            ..Options::default()
        },
    );
    let (one, two) = (rig.attach(ALL), rig.attach(ALL));
    one.send_data(b"\n");
    assert_eq!((one.drain().2, two.drain().2), (5, 5));
    one.done();
    rig.wait();
    assert!(rig.is_reaped());
}

#[test]
fn nonsense_ends_the_connection_and_nothing_else() {
    let rig = Rig::start(
        "cat",
        Options {
            stdin: true,
            ..Options::default()
        },
    );
    let packets: [&[u8]; 5] = [b"Z", b"I early", &[b'A', 99, 7], b"R", &[b'x'; 9000]];
    for packet in packets {
        let client = rig.connect();
        client.send(packet);
        assert_eq!(client.receive(), Packet::End);
    }
    let client = rig.attach(ALL);
    client.send(&[b'I'; packet::MAX_DATA + 2]);
    assert_eq!(client.receive(), Packet::End);
    let client = rig.attach(ALL);
    client.send_data(b"alive");
    assert_eq!(client.read_until("alive"), "alive");
}

#[test]
fn at_most_sixteen_clients() {
    let rig = Rig::start("sleep 30", Options::default());
    let mut clients: Vec<_> = (0..16).map(|_| rig.attach(ALL)).collect();
    clients.pop();
    within(Duration::from_secs(5), "a free slot", || {
        let client = rig.connect();
        client.send(&packet::attach(ALL));
        (client.receive() == Packet::Attached).then_some(())
    });
}

#[test]
fn other_users_are_refused() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test changes its user id"
    );
    let rig = Rig::start("sleep 30", Options::default());
    let socket = rig.dir.path().join("shim.sock");
    for path in [rig.dir.path(), &socket] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let address = rustix::net::SocketAddrUnix::new(&socket).unwrap();
    let kind = rustix::net::SocketType::SEQPACKET;
    let answer = |uid: u32| {
        let address = address.clone();
        let mut command = Command::new("true");
        // SAFETY: system calls alone; the outcome travels as the error number of the spawn.
        unsafe {
            command.pre_exec(move || {
                if libc::setuid(uid) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
                let socket = rustix::net::socket(rustix::net::AddressFamily::UNIX, kind, None)?;
                rustix::net::connect(&socket, &address)?;
                let _ = rustix::net::send(
                    &socket,
                    &packet::attach(ALL),
                    rustix::net::SendFlags::NOSIGNAL,
                );
                let mut place = [0; 8];
                match rustix::net::recv(&socket, &mut place[..], rustix::net::RecvFlags::empty()) {
                    Ok((2, _)) => Ok(()),
                    _ => Err(std::io::Error::from_raw_os_error(libc::EPERM)),
                }
            });
        }
        command
            .status()
            .map(drop)
            .map_err(|error| error.raw_os_error())
    };
    assert_eq!(answer(0), Ok(()));
    assert_eq!(answer(1000), Err(Some(libc::EPERM)));
}

#[test]
fn a_killed_monitor_leaves_whole_records_and_a_free_lock() {
    let options = Options {
        rotation: LOGGED,
        ..Options::default()
    };
    let mut rig = Rig::start(
        "i=0; while echo line $((i+=1)); do :; done; exit 1",
        options,
    );
    let lock = fs::File::open(rig.dir.path().join("shim.lock")).unwrap();
    let log = rig.dir.path().join("log.json");
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while fs::metadata(&log).map_or(0, |found| found.len()) == 0 {
        assert!(std::time::Instant::now() < end, "nothing is logged");
        std::thread::sleep(Duration::from_millis(10));
    }
    // So that it is killed in the middle of its work.
    std::thread::sleep(Duration::from_millis(100));
    assert!(lock.try_lock().is_err(), "held while it lives");
    rig.monitor.kill().unwrap();
    assert_eq!(rig.wait().signal(), Some(9));
    lock.try_lock().unwrap();
    assert!(!rig.records().is_empty());
    assert!(!rig.dir.path().join("exit.json").exists());
}

/// A log of these bounds on a disk of this size that is full until its filler is removed: each of the records of
/// `seq 1 100000` and a last one must be there or counted. Returns how many were dropped.
fn fill_disk(size: &str, filler: usize, rotation: (u64, u32)) -> u64 {
    use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, unmount};
    assert!(rustix::process::geteuid().is_root(), "this test mounts");
    // Of this thread alone: nothing to see or to clean up elsewhere.
    // SAFETY: this thread shares no file system state that others rely on.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }.unwrap();
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).unwrap();
    let disk = tempfile::tempdir().unwrap();
    let options = std::ffi::CString::new(format!("size={size}")).unwrap();
    let flags = MountFlags::empty();
    mount("none", disk.path(), "tmpfs", flags, options.as_c_str()).unwrap();
    fs::write(disk.path().join("filler"), vec![0; filler]).unwrap();

    let options = Options {
        rotation: Some(rotation),
        log_dir: Some(disk.path().to_owned()),
        stdin: true,
        foreground: true,
        ..Options::default()
    };
    let mut rig = Rig::start("seq 1 100000; read x; echo after; exit 6", options);
    let client = rig.foreground.take().unwrap();
    client.read_until("\n100000\n");
    fs::remove_file(disk.path().join("filler")).unwrap();
    client.send_data(b"\n");
    assert_eq!(client.drain().2, 6);
    client.done();
    rig.wait();
    let records = rig.records();
    let dropped: u64 = records
        .iter()
        .filter_map(|record| record["dropped"].as_u64())
        .sum();
    let lines = records.iter().filter(|record| record["log"] != "").count() as u64;
    assert_eq!(dropped + lines, 100_001, "each record is there or counted");
    assert!(rig.logged("stdout").ends_with("after\n"));
    unmount(disk.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    dropped
}

/// N10.
#[test]
fn a_full_disk_drops_records_and_says_so() {
    let dropped = fill_disk("256k", 200_000, (10 << 20, 3));
    assert!(dropped > 50_000, "{dropped}");
}

/// The batch that fails ends in the middle of what was read, where a new file begins.
#[test]
fn a_disk_that_is_full_at_a_rotation_forgets_no_record() {
    let dropped = fill_disk("2m", 1_000_000, (64 << 10, 19));
    assert!(dropped > 50_000, "{dropped}");
}

#[test]
fn wrong_arguments_are_named() {
    for (line, complaint) in [
        (
            &["init=x"][..],
            "error: berth-monitor: cannot use argument `init=x`\n",
        ),
        (
            &["colour=1"],
            "error: berth-monitor: cannot use argument `colour=1`\n",
        ),
        (&[], "error: berth-monitor: missing argument `init=`\n"),
    ] {
        let output = Command::new(monitor()).args(line).output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        assert_eq!(String::from_utf8_lossy(&output.stderr), complaint);
    }
}

#[test]
fn forty_idle_monitors_hold_little_memory() {
    // A binary just written is dirty in the page cache and would be counted as private.
    rustix::fs::sync();
    let rigs: Vec<Rig> = (0..40)
        .map(|_| {
            Rig::start(
                "seq 1 20000; exec sleep 60",
                Options {
                    rotation: LOGGED,
                    ..Options::default()
                },
            )
        })
        .collect();
    std::thread::sleep(Duration::from_millis(3000));
    let mut total = 0;
    for rig in &rigs {
        let kib = private_kib(rig.monitor.id());
        assert!(kib <= 64, "{kib} KiB");
        total += kib;
    }
    println!(
        "mean private memory of an idle monitor: {} KiB",
        total as f64 / 40.0
    );
}
