//! What only a process with one thread may do. No test harness: its threads would be in the way.
//! Needs root.
#![allow(clippy::unwrap_used)] // this whole file is a test

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitCode;

use berth_sys::process::{self, CloneOptions, Forked, Strings, namespace};
use berth_sys::userns::{IdMap, write_maps};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use testkit::harness::{self, Test};

const TESTS: &[Test] = testkit::tests![
    child_is_pid_1_of_its_namespaces,
    child_is_born_in_a_cgroup,
    user_namespace_gets_its_maps,
    exec_replaces_and_closes,
    a_descriptor_is_inherited,
    signals_are_reset,
    unshare_makes_a_namespace,
    threads_forbid_clone3,
];

fn main() -> ExitCode {
    assert!(process::is_single_threaded());
    harness::run(TESTS, &[])
}

/// Runs `inside` in a child and returns its exit code.
fn in_child(options: CloneOptions<'_>, inside: impl FnOnce() -> i32) -> i32 {
    match process::clone3(options).unwrap() {
        Forked::Child => process::exit_now(inside()),
        Forked::Parent(child) => {
            let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED)
                .unwrap()
                .unwrap();
            status.exit_status().unwrap_or(-1)
        }
    }
}

fn child_is_pid_1_of_its_namespaces() {
    let namespaces =
        namespace::PID | namespace::MOUNT | namespace::IPC | namespace::UTS | namespace::NETWORK;
    let options = CloneOptions {
        namespaces,
        ..CloneOptions::default()
    };
    assert_eq!(
        in_child(options, || rustix::process::getpid().as_raw_nonzero().get()),
        1
    );
    let plain = in_child(CloneOptions::default(), || {
        i32::from(rustix::process::getpid() == Pid::INIT)
    });
    assert_eq!(plain, 0);
}

fn child_is_born_in_a_cgroup() {
    let unified = "/sys/fs/cgroup/unified";
    let base = if std::path::Path::new(unified).exists() {
        unified
    } else {
        "/sys/fs/cgroup"
    };
    let name = format!("berth-sys-test-{}", std::process::id());
    let path = format!("{base}/{name}");
    std::fs::create_dir(&path).unwrap();
    let cgroup = std::fs::File::open(&path).unwrap();
    let options = CloneOptions {
        cgroup: Some(cgroup.as_fd()),
        ..CloneOptions::default()
    };
    let code = in_child(options, || {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        i32::from(own.lines().any(|line| line == format!("0::/{name}")))
    });
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(code, 1);
}

fn user_namespace_gets_its_maps() {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let options = CloneOptions {
        namespaces: namespace::USER,
        ..CloneOptions::default()
    };
    match process::clone3(options).unwrap() {
        Forked::Child => {
            drop(writer);
            let mut byte = [0u8];
            let _ = rustix::io::read(&reader, &mut byte);
            process::exit_now(
                rustix::process::getuid().as_raw() as i32
                    + rustix::process::getgid().as_raw() as i32,
            );
        }
        Forked::Parent(child) => {
            let map = |inside| {
                [IdMap {
                    inside,
                    outside: 0,
                    count: 1,
                }]
            };
            write_maps(child.pid, &map(30), &map(4)).unwrap();
            drop(writer);
            let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED)
                .unwrap()
                .unwrap();
            assert_eq!(status.exit_status(), Some(34));
        }
    }
}

fn strings(list: &[&str]) -> Strings {
    Strings::new(list.iter().map(|s| CString::new(*s).unwrap()).collect())
}

fn exec_replaces_and_closes() {
    let (reader, writer) = rustix::pipe::pipe().unwrap(); // not close-on-exec, on purpose
    let code = in_child(CloneOptions::default(), || {
        process::place_fd(writer.as_fd(), 1).unwrap();
        process::close_on_exec_from(3).unwrap();
        let args = strings(&["sh", "-c", "ls /proc/self/fd | wc -l; exit $X"]);
        process::execve(c"/bin/sh", &args, &strings(&["PATH=/bin:/usr/bin", "X=7"]));
        99
    });
    drop(writer);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::fs::File::from(reader), &mut text).unwrap();
    // 0, 1, 2 and the one that ls reads the directory with.
    assert_eq!((code, text.trim()), (7, "4"));

    let missing = in_child(CloneOptions::default(), || {
        let error = process::execve(c"/no/such", &strings(&["x"]), &strings(&[]));
        error.raw_os_error().unwrap()
    });
    assert_eq!(missing, rustix::io::Errno::NOENT.raw_os_error());

    let file = std::fs::File::open("/bin/true").unwrap();
    let code = in_child(CloneOptions::default(), || {
        process::fexecve(file.as_fd(), &strings(&["true"]), &strings(&[]));
        99
    });
    assert_eq!(code, 0);
}

fn a_descriptor_is_inherited() {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    process::place_fd(writer.as_fd(), 17).unwrap();
    drop(writer);
    let mine = process::inherited_fd(17).unwrap();
    assert!(
        rustix::io::fcntl_getfd(&mine)
            .unwrap()
            .contains(rustix::io::FdFlags::CLOEXEC)
    );
    rustix::io::write(&mine, b"x").unwrap();
    drop(mine);
    assert_eq!(rustix::io::read(&reader, &mut [0; 8]), Ok(1));
    assert!(process::inherited_fd(17).is_err());
    assert!(process::inherited_fd(-1).is_err());
}

fn signals_are_reset() {
    let code = in_child(CloneOptions::default(), || {
        let _fd = berth_sys::signals::listen(&[15]).unwrap();
        berth_sys::signals::reset_all();
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
        99
    });
    assert_eq!(code, -1, "ended by the signal, not by its own exit");
    // std's own start-up ignores SIGPIPE; a program must not inherit that.
    let status = std::process::Command::new("/bin/sh")
        .args(["-c", "kill -PIPE $$"])
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(13));
}

fn unshare_makes_a_namespace() {
    let before = std::fs::read_link("/proc/self/ns/uts").unwrap();
    let code = in_child(CloneOptions::default(), || {
        process::unshare(namespace::UTS).unwrap();
        i32::from(std::fs::read_link("/proc/self/ns/uts").unwrap() != before)
    });
    assert_eq!(code, 1);
}

fn threads_forbid_clone3() {
    std::thread::spawn(|| ()).join().unwrap();
    assert!(!process::is_single_threaded());
    let error = process::clone3(CloneOptions::default()).unwrap_err();
    assert_eq!(
        error.raw_os_error(),
        Some(rustix::io::Errno::BUSY.raw_os_error())
    );
}
