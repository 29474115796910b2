//! The process: one, killed, started again, ended.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::harness::Test;
use testkit::{eventually, tests};

use crate::rig::{Rig, task};

pub const TESTS: &[Test] = tests![
    killed_it_is_started_again_and_serves_all,
    of_several_that_start_one_stays,
    what_ends_is_let_go,
    it_ends_when_it_serves_nobody,
    what_cannot_be_served_is_said,
];

fn kill(rig: &Rig) {
    kill_process(Pid::from_raw(rig.pid()).unwrap(), Signal::KILL).unwrap();
    let mut child = rig.keeper.take().unwrap();
    child.wait().unwrap();
}

fn killed_it_is_started_again_and_serves_all() {
    let rig = Rig::new();
    let containers = [(); 3].map(|()| rig.served(task(&["front"])));
    rig.name("id-front", &containers[0], &["web"], &["10.9.0.2"]);
    assert!(
        !rig.resolver(|resolver| resolver.ensure()).unwrap(),
        "it runs"
    );
    for _ in 0..2 {
        let run_dir = rig.run_dir();
        let waits = std::thread::spawn(move || {
            let resolver = berth_dns::Resolver {
                run_dir: &run_dir,
                command: &|| unreachable!("it only waits"),
                keep: &drop,
            };
            resolver.wait().unwrap();
        });
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waits.is_finished(), "one serves");
        kill(&rig);
        waits.join().unwrap();
        let said = containers[0].short("+time=1 web");
        assert!(said.contains("no servers"), "nobody is there: {said}");
        assert!(rig.resolver(|resolver| resolver.ensure()).unwrap());
        for container in &containers {
            assert_eq!(container.short("web"), "10.9.0.2");
            assert_eq!(container.short("+tcp web"), "10.9.0.2");
        }
    }
    // The next container's start does it, too.
    kill(&rig);
    let new = rig.served(task(&["front"]));
    for container in containers.iter().chain([&new]) {
        assert_eq!(container.short("web"), "10.9.0.2");
    }
}

fn of_several_that_start_one_stays() {
    let rig = Rig::new();
    let container = rig.served(task(&["front"]));
    rig.name("id-front", &container, &["web"], &["10.9.0.2"]);
    kill(&rig);
    let (dir, id, namespace) = (rig.run_dir(), &container.id, &container.namespace);
    let host = rig.hosts.host();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let command = || {
                    let mut command = std::process::Command::new("nsenter");
                    command.arg(format!("--net={}", host.display()));
                    command
                        .arg(std::env::current_exe().unwrap())
                        .arg("keeper")
                        .arg(&dir);
                    command
                };
                let resolver = berth_dns::Resolver {
                    run_dir: &dir,
                    command: &command,
                    keep: &drop,
                };
                let namespace = File::open(namespace).unwrap();
                resolver.look(id, namespace.as_fd()).unwrap();
            });
        }
    });
    assert_eq!(container.short("web"), "10.9.0.2");
    let held = std::fs::read_to_string("/proc/locks").unwrap();
    let inode =
        std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(dir.join("dns/lock")).unwrap());
    let line = held
        .lines()
        .find(|line| line.contains(&format!(":{inode} ")))
        .unwrap();
    let pid: i32 = line.split_whitespace().nth(4).unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// A namespace lives as long as somebody holds it: nobody does after the container's end.
fn what_ends_is_let_go() {
    let rig = Rig::new();
    let open = || {
        std::fs::read_dir(format!("/proc/{}/fd", rig.pid()))
            .unwrap()
            .count()
    };
    let first = rig.served(task(&["front"]));
    // Whoever spoke to it last may still be open.
    let before = eventually("it is at rest", || {
        let count = open();
        std::thread::sleep(Duration::from_millis(50));
        (count == open()).then_some(count)
    });
    let mut containers = [(); 3].map(|()| rig.served(task(&["front"])));
    eventually("four a container", || (open() == before + 12).then_some(()));
    containers[0].end();
    let file = berth_dns::record::task(&rig.run_dir(), containers[1].id.as_str());
    std::fs::remove_file(file).unwrap();
    rig.resolver(|resolver| resolver.forget(&containers[2].id))
        .unwrap();
    eventually("all is closed", || (open() == before).then_some(()));
    rig.resolver(|resolver| resolver.forget(&containers[2].id))
        .unwrap();
    rig.name("id-front", &first, &["web"], &["10.9.0.2"]);
    assert_eq!(first.short("web"), "10.9.0.2");
}

fn it_ends_when_it_serves_nobody() {
    let rig = Rig::new();
    let mut container = rig.served(task(&["front"]));
    container.end();
    let mut child = rig.keeper.take().unwrap();
    let began = Instant::now();
    let status = eventually("it ends", || child.try_wait().unwrap());
    assert!(
        status.success() && began.elapsed() > Duration::from_secs(8),
        "{status}"
    );
    assert!(!rig.run_dir().join("dns/sock").exists());
    assert!(
        !rig.resolver(|resolver| resolver.ensure()).unwrap(),
        "nobody needs it"
    );
    rig.resolver(|resolver| resolver.forget(&container.id))
        .unwrap();
}

fn what_cannot_be_served_is_said() {
    let rig = Rig::new();
    let container = rig.container();
    let namespace = File::open(&container.namespace).unwrap();
    let look = || {
        rig.resolver(|resolver| resolver.look(&container.id, namespace.as_fd()))
            .unwrap_err()
    };
    let error = look().to_string();
    assert!(error.contains("dns.json"), "{error}");
    std::fs::write(
        berth_dns::record::task(&rig.run_dir(), container.id.as_str()),
        "{",
    )
    .unwrap();
    let error = look().to_string();
    assert!(error.contains("cannot read"), "{error}");
    let no_program = berth_dns::Resolver {
        run_dir: &rig.run_dir().join("elsewhere"),
        command: &|| std::process::Command::new("/no/such/program"),
        keep: &drop,
    };
    let error = no_program
        .look(&container.id, namespace.as_fd())
        .unwrap_err();
    assert!(matches!(error, berth_dns::Error::Start { .. }), "{error}");
}
