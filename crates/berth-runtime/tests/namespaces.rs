//! Namespaces: new, joined by path, or the host's own, in every combination; id maps and clocks. Needs root
//! and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod ns_rig;
mod rig;

use std::collections::BTreeMap;

use ns_rig::{
    Helper, KINDS, Kind, PRINT, Way, all_new, ids_of, inside, map, new_but, offsets,
    set_namespaces, spec_of,
};
use rig::Bundle;
use serde_json::{Value, json};

const SLEEP: &str = "sleep 1000";

/// The containers whose namespaces are joined: one of the host's user namespace, one of its own.
struct Targets {
    host: Bundle,
    user: Bundle,
    of_host: BTreeMap<Kind, String>,
    of_user: BTreeMap<Kind, String>,
    host_pid: i32,
    user_pid: i32,
}

impl Targets {
    fn start() -> Targets {
        let mut host = Bundle::new(SLEEP);
        set_namespaces(&mut host, &KINDS.map(|k| (k, Way::New))[1..]);
        host.start();
        let mut user = Bundle::new(SLEEP);
        all_new(&mut user, true);
        user.start();
        let pid = |bundle: &Bundle| bundle.state()["pid"].as_i64().unwrap() as i32;
        let (host_pid, user_pid) = (pid(&host), pid(&user));
        Targets {
            of_host: ids_of(host_pid),
            of_user: ids_of(user_pid),
            host,
            user,
            host_pid,
            user_pid,
        }
    }

    fn stop(self) {
        self.host.call(&["delete", "-f", "c"]).ok();
        self.user.call(&["delete", "-f", "c"]).ok();
    }
}

/// Makes one container and compares where it is with where it should be.
fn try_combination(bundle: &mut Bundle, targets: &Targets, ways: [u8; 8], deep: bool) {
    let before = bundle.config.clone();
    combine(bundle, targets, ways, deep);
    bundle.config = before;
}

fn combine(bundle: &mut Bundle, targets: &Targets, ways: [u8; 8], deep: bool) {
    let way_of = |kind: Kind| ways[KINDS.iter().position(|k| *k == kind).unwrap()];
    let (user, mount) = (way_of(Kind::User), way_of(Kind::Mount));
    // Nobody in a user namespace can mount in a mount namespace of others.
    let refused = (user == 1 && mount != 1) || (user == 2 && mount == 0);
    let helper = (mount == 2).then(|| Helper::mount(if user == 2 { targets.user_pid } else { 0 }));
    let host = ids_of(std::process::id() as i32);
    let mut list = Vec::new();
    let mut expected = BTreeMap::new();
    for (index, kind) in KINDS.into_iter().enumerate() {
        // Namespaces of both owners are joined.
        let of_user = kind == Kind::User || (index + usize::from(ways[0])) % 2 == 0;
        let (pid, theirs) = match (&helper, kind, of_user) {
            (Some(helper), Kind::Mount, _) => (helper.pid(), ids_of(helper.pid())),
            (_, _, true) => (targets.user_pid, targets.of_user.clone()),
            _ => (targets.host_pid, targets.of_host.clone()),
        };
        match ways[index] {
            0 => drop(expected.insert(kind, Some(host[&kind].clone()))),
            1 => {
                list.push((kind, Way::New));
                expected.insert(kind, None);
            }
            _ => {
                list.push((kind, Way::Join(spec_of(pid, kind))));
                expected.insert(kind, Some(theirs[&kind].clone()));
            }
        }
    }
    set_namespaces(bundle, &list);
    if user == 1 {
        bundle.map_ids();
    }
    if user != 0 && way_of(Kind::Ipc) == 0 {
        // The host shows none that could be bound.
        bundle.remove_mount("/dev/mqueue");
    }
    let run = bundle.run();
    if refused {
        assert!(run.fails(125).contains("mount namespace"), "{ways:?}");
        return;
    }
    let mut known: Vec<&String> = host.values().collect();
    known.extend(targets.of_host.values().chain(targets.of_user.values()));
    let check = |what: &str, seen: &BTreeMap<Kind, String>| {
        for kind in KINDS {
            let seen = &seen[&kind];
            match &expected[&kind] {
                Some(wanted) => assert_eq!(seen, wanted, "{what}: {kind:?} of {ways:?}"),
                None => assert!(!known.contains(&seen), "{what}: {kind:?} of {ways:?}"),
            }
        }
    };
    check("run", &inside(run.ok()));
    if deep {
        let again =
            (mount == 2).then(|| Helper::mount(if user == 2 { targets.user_pid } else { 0 }));
        if let Some(helper) = &again {
            list.retain(|(kind, _)| *kind != Kind::Mount);
            list.push((Kind::Mount, Way::Join(spec_of(helper.pid(), Kind::Mount))));
            expected.insert(
                Kind::Mount,
                Some(ids_of(helper.pid())[&Kind::Mount].clone()),
            );
            set_namespaces(bundle, &list);
        }
        check_exec(bundle, ways);
    }
}

/// An exec is where init is.
fn check_exec(bundle: &mut Bundle, ways: [u8; 8]) {
    bundle.config["process"]["args"] = json!(["sh", "-c", SLEEP]);
    bundle.start();
    let init = bundle.state()["pid"].as_i64().unwrap() as i32;
    let exec = bundle.call(&["exec", "c", "sh", "-c", PRINT]);
    assert_eq!(inside(exec.ok()), ids_of(init), "exec of {ways:?}");
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// Each pair of kinds in each of its nine states: an orthogonal array over the field of three elements.
/// All 6561 combinations when BERTH_TEST_FULL is set.
///
/// With a `path` that namespace, without one a new one, and the runtime's own where the kind is not named: each a
/// MUST.
///
/// Source: config-linux.md "Namespaces".
#[test]
fn every_pair_of_namespaces_is_new_joined_or_the_hosts() {
    let targets = Targets::start();
    let bundle = &mut Bundle::new(PRINT);
    if std::env::var_os("BERTH_TEST_FULL").is_some() {
        for number in 0..3u32.pow(8) {
            let ways = std::array::from_fn(|k| (number / 3u32.pow(k as u32) % 3) as u8);
            try_combination(bundle, &targets, ways, false);
        }
    }
    const COLUMNS: [[u8; 3]; 8] = [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 0],
        [1, 0, 1],
        [0, 1, 1],
        [1, 1, 1],
        [1, 2, 0],
    ];
    for row in 0..27u8 {
        let row = [row % 3, row / 3 % 3, row / 9];
        let mut ways = COLUMNS.map(|c| c.iter().zip(row).map(|(a, b)| a * b).sum::<u8>() % 3);
        try_combination(bundle, &targets, ways, true);
        if ways[0] != 0 && ways[1] != 1 {
            // What was refused, or could have been, with a mount namespace of its own.
            ways[1] = 1;
            try_combination(bundle, &targets, ways, true);
        }
    }
    targets.stop();
}

/// Source: config-linux.md "Namespaces": `path` MUST be absolute; the runtime MUST generate an error if it
/// is not associated with a namespace of that type, or if a type is given twice.
#[test]
fn a_path_that_leads_to_something_else_is_an_error() {
    let helper = Helper::all();
    for (index, kind) in KINDS.into_iter().enumerate() {
        let other = KINDS[(index + 1) % KINDS.len()];
        let cases = [
            spec_of(helper.pid(), other),
            "/dev/null".to_owned(),
            "/nonexistent".to_owned(),
            "proc/self/ns/net".to_owned(),
            format!("/proc/{}/ns", helper.pid()),
        ];
        let mut bundle = Bundle::new("true");
        for path in cases {
            let mut list = vec![(kind, Way::Join(path.clone()))];
            if kind != Kind::Mount {
                list.push((Kind::Mount, Way::New));
            }
            set_namespaces(&mut bundle, &list);
            let run = bundle.run();
            assert!(
                run.fails(125)
                    .contains(&format!("{} namespace", kind.word())),
                "{kind:?} {path}: {}",
                run.stderr
            );
        }
        set_namespaces(&mut bundle, &[(kind, Way::New), (kind, Way::New)]);
        bundle.run().fails(125);
    }
}

/// What would be the host's name, clock or mounts is refused; a path to the host's own isolates nothing.
#[test]
fn the_host_is_not_changed_for_want_of_a_namespace() {
    let own = |kind: Kind| (kind, Way::Join(format!("/proc/self/ns/{}", kind.file())));
    let mut bundle = Bundle::new(PRINT);
    set_namespaces(&mut bundle, &KINDS.map(own));
    let host = ids_of(std::process::id() as i32);
    assert_eq!(inside(bundle.run().ok()), host);
    for uts in [None, Some(own(Kind::Uts).1)] {
        for name in ["hostname", "domainname"] {
            let mut bundle = Bundle::new("true");
            set_namespaces(&mut bundle, &new_but(Kind::Uts, uts.clone()));
            bundle.config[name] = json!("stray");
            assert!(bundle.run().fails(125).contains("uts namespace"), "{name}");
        }
    }
    let name = rustix::system::uname();
    assert!(name.nodename().to_bytes() != b"stray");
    let mut bundle = Bundle::new("true");
    set_namespaces(&mut bundle, &[]);
    bundle.config["linux"]["rootfsPropagation"] = json!("shared");
    assert!(bundle.run().fails(125).contains("mount namespace"));
}

/// A name is set in a uts namespace that is joined, as in a new one.
#[test]
fn a_joined_uts_namespace_gets_the_name() {
    let helper = Helper::all();
    let mut bundle = Bundle::new("hostname");
    let list = new_but(Kind::Uts, Some(Way::Join(spec_of(helper.pid(), Kind::Uts))));
    set_namespaces(&mut bundle, &list);
    bundle.config["hostname"] = json!("joined");
    assert_eq!(bundle.run().ok(), "joined");
    let target = format!("--target={}", helper.pid());
    let seen = std::process::Command::new("nsenter")
        .args([&target, "--uts", "hostname"])
        .output()
        .unwrap();
    assert_eq!(seen.stdout, b"joined\n");
}

/// Without a mount namespace the host sees no mount, and the container nothing but its root.
#[test]
fn a_container_in_the_hosts_mount_namespace() {
    let look = "
        test -e /proc/1/ns && test -c /dev/null && mount | grep -c . ;
        cd /; cd ../../..; ls -d */ | tr -d '\\n'; echo;
        touch /x 2>&1; cat /proc/keys | head -c 1; ls -A /sys/firmware";
    let mut bundle = Bundle::new(look);
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    for kinds in [
        &[][..],
        &[Kind::Pid, Kind::Ipc, Kind::Network, Kind::Cgroup],
    ] {
        let list: Vec<_> = kinds.iter().map(|k| (*k, Way::New)).collect();
        set_namespaces(&mut bundle, &list);
        bundle.config["process"]["args"] = json!(["sh", "-c", look]);
        let run = bundle.run();
        let shown = "0\nbin/dev/etc/proc/root/sys/tmp/var/\ntouch: /x: Read-only file system";
        assert_eq!(run.ok(), shown, "{}", run.stderr);

        bundle.config["process"]["args"] = json!(["sh", "-c", SLEEP]);
        bundle.start();
        let now = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = |text: &str| text.matches(bundle.path().to_str().unwrap()).count();
        assert_eq!((ours(&before), ours(&now)), (0, 0), "the host sees a mount");
        let exec = bundle.call(&["exec", "c", "sh", "-c", look]);
        assert_eq!(exec.ok(), shown, "{}", exec.stderr);
        bundle.call(&["delete", "-f", "c"]).ok();
    }
}

/// A mount namespace that is joined becomes the container's: its root is pivoted to, as runc does.
#[test]
fn a_joined_mount_namespace_gets_the_root() {
    let helper = Helper::mount(0);
    let mut bundle = Bundle::new("ls -d /*/ | tr -d '\\n'; mount | head -1 | cut -d' ' -f3");
    let list = new_but(
        Kind::Mount,
        Some(Way::Join(spec_of(helper.pid(), Kind::Mount))),
    );
    set_namespaces(&mut bundle, &list);
    assert_eq!(
        bundle.run().ok(),
        "/bin//dev//etc//proc//root//sys//tmp//var//"
    );
    let root = std::fs::read_link(format!("/proc/{}/root", helper.pid())).unwrap();
    assert_eq!(root.to_str(), Some("/"), "and is what the namespace has");
    assert!(std::path::Path::new(&format!("/proc/{}/root/bin/busybox", helper.pid())).exists());
    drop(helper);
}

/// Source: config-linux.md "Offset for Time Namespace".
#[test]
fn clocks_of_a_new_time_namespace_are_set() {
    let show = "tr -s ' \\t' ' ' < /proc/self/timens_offsets; cut -d. -f1 /proc/uptime";
    let uptime = || {
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        text.split('.').next().unwrap().parse::<i64>().unwrap()
    };
    for user in [false, true] {
        let mut bundle = Bundle::new(show);
        all_new(&mut bundle, user);
        assert!(
            bundle
                .run()
                .ok()
                .starts_with("monotonic 0 0\nboottime 0 0\n")
        );
        // The maker of init does not count: it is in no cgroup of the container.
        bundle.config["linux"]["resources"]["pids"] = json!({"limit": 8});
        let earlier = json!({"secs": -1, "nanosecs": 999_999_999});
        offsets(&mut bundle, earlier, json!({"secs": 1_000_000}));
        let run = bundle.run();
        let lines: Vec<_> = run.ok().lines().collect();
        assert_eq!(lines[..2], ["monotonic -1 999999999", "boottime 1000000 0"]);
        let seen: i64 = lines[2].parse().unwrap();
        assert!((seen - 1_000_000 - uptime()).abs() < 60, "{seen}");
        bundle.config["process"]["args"] = json!(["sleep", "1000"]);
        bundle.start();
        let exec = bundle.call(&["exec", "c", "sh", "-c", show]);
        assert!(
            exec.ok()
                .starts_with("monotonic -1 999999999\nboottime 1000000 0\n")
        );
        bundle.call(&["delete", "-f", "c"]).ok();
        // Before the boot.
        offsets(&mut bundle, json!({"secs": -9_000_000_000i64}), Value::Null);
        assert!(bundle.run().fails(125).contains("clocks"));
    }
    let mut bundle = Bundle::new("true");
    offsets(&mut bundle, json!({"secs": 1}), Value::Null);
    assert!(
        bundle.run().fails(125).contains("time namespace"),
        "there is none"
    );
}

/// The limit of one process is for init.
#[test]
fn the_maker_of_init_is_in_no_cgroup_of_the_container() {
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(["grep", "-o", "pids:.*", "/proc/self/cgroup"]);
    set_namespaces(&mut bundle, &KINDS.map(|k| (k, Way::New)));
    bundle.without_namespace("cgroup");
    bundle.map_ids();
    offsets(&mut bundle, json!({"secs": 1}), Value::Null);
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 1});
    let path = bundle.config["linux"]["cgroupsPath"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(bundle.run().ok(), format!("pids:{path}"));
}

/// Source: config-linux.md "User namespace mappings".
#[test]
fn id_maps_are_checked_before_anything_is_made() {
    let cases: [(&str, Value); 6] = [
        ("uidMappings", json!([])),
        ("uidMappings", map(&[(0, 100_000, 0)])),
        ("uidMappings", map(&[(0, 100_000, 10), (5, 200_000, 1)])),
        ("gidMappings", map(&[(0, 100_000, 10), (10, 100_009, 1)])),
        ("gidMappings", map(&[(0, 4_294_967_290, 10)])),
        ("gidMappings", map(&[(1, 100_000, 10)])),
    ];
    let mut bundle = Bundle::new("true");
    for (field, wrong) in cases {
        all_new(&mut bundle, true);
        bundle.config["linux"][field] = wrong.clone();
        let run = bundle.run();
        assert!(run.fails(125).contains("apping"), "{wrong}: {}", run.stderr);
    }
    set_namespaces(&mut bundle, &[(Kind::Mount, Way::New)]);
    bundle.map_ids();
    assert!(
        bundle.run().fails(125).contains("user namespace"),
        "there is none"
    );
}

/// containerd gives the maps of a user namespace beside its path: they must be its own.
#[test]
fn maps_beside_a_path_must_be_those_of_the_namespace() {
    let targets = Targets::start();
    let mut bundle = Bundle::new("tr -s ' ' < /proc/self/uid_map; id -u; hostname");
    let mut list = KINDS.map(|k| (k, Way::New)).to_vec();
    list[0].1 = Way::Join(spec_of(targets.user_pid, Kind::User));
    set_namespaces(&mut bundle, &list);
    bundle.config["hostname"] = json!("inner");
    bundle.open_up();
    // The name is set: the new uts namespace belongs to the joined user namespace.
    assert_eq!(bundle.run().ok(), " 0 100000 65536\n0\ninner");
    bundle.map_ids();
    assert_eq!(bundle.run().ok(), " 0 100000 65536\n0\ninner");
    bundle.config["linux"]["uidMappings"] = map(&[(0, 100_000, 65_535)]);
    assert!(bundle.run().fails(125).contains("uidMappings"));
    targets.stop();
}

/// Maps without a 0: init is whoever the process is.
#[test]
fn a_user_namespace_without_root() {
    let mut bundle = Bundle::new("id -u; id -g; tr -s ' ' < /proc/self/uid_map");
    all_new(&mut bundle, true);
    let one = map(&[(1000, 100_000, 1)]);
    bundle.config["linux"]["uidMappings"] = one.clone();
    bundle.config["linux"]["gidMappings"] = one;
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    assert_eq!(bundle.run().ok(), "1000\n1000\n 1000 100000 1");
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.start();
    assert_eq!(bundle.call(&["exec", "c", "id", "-u"]).ok(), "1000");
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// R9: without a cgroup namespace, root of a user namespace writes to no cgroup, however it is mounted.
#[test]
fn r9_the_hosts_cgroups_are_not_written_to() {
    let write = "
        find /sys/fs/cgroup -type f | while read f; do (echo 1 > $f) 2>/dev/null && echo WRITTEN $f; done
        find /sys/fs/cgroup/*/ -type d | while read d; do mkdir $d/x 2>/dev/null && echo MADE $d; done
        find /sys/fs/cgroup -type f | grep -c .";
    let mut bundle = Bundle::new(write);
    all_new(&mut bundle, true);
    bundle.without_namespace("cgroup");
    bundle.caps(&["CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN", "CAP_FOWNER"]);
    for access in ["ro", "rw"] {
        bundle.mount(json!({
            "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", access],
        }));
        let run = bundle.run();
        let files: u32 = run.ok().parse().unwrap_or_else(|_| panic!("{run}"));
        assert!(files > 10, "nothing is shown: {run}");
    }
}

/// R11: whichever way a container gets its namespaces, its process has three descriptors, and no working
/// directory of the host's behind any number; nor has an exec.
#[test]
fn r11_no_descriptor_comes_along() {
    let helper = Helper::all();
    let join = |kind: Kind| (kind, Way::Join(spec_of(helper.pid(), kind)));
    let all = KINDS.map(|k| (k, Way::New));
    let cases = [
        all[1..].to_vec(),
        all.to_vec(),
        all[2..].to_vec(),
        vec![
            all[1].clone(),
            join(Kind::Network),
            join(Kind::Ipc),
            join(Kind::Time),
        ],
        vec![
            all[0].clone(),
            all[1].clone(),
            all[2].clone(),
            join(Kind::Network),
            join(Kind::Uts),
        ],
    ];
    for list in cases {
        let mut bundle = Bundle::new("ls /proc/self/fd | tr '\\n' ' '");
        set_namespaces(&mut bundle, &list);
        if list[0].0 == Kind::User {
            bundle.map_ids();
            bundle.remove_mount("/dev/mqueue");
        }
        // 3 is what ls reads the directory with.
        assert_eq!(bundle.run().ok(), "0 1 2 3 ", "{list:?}");
        bundle.config["process"]["args"] = json!(["sleep", "1000"]);
        bundle.start();
        let exec = bundle.call(&["exec", "c", "ls", "/proc/self/fd"]);
        assert_eq!(exec.ok(), "0\n1\n2\n3", "{list:?}");
        let numbers = if list.len() == 7 { 64 } else { 8 };
        for number in 0..numbers {
            let cwd = format!("/proc/self/fd/{number}");
            let exec = bundle.call(&["exec", "--cwd", &cwd, "c", "true"]);
            exec.fails(125);
        }
        bundle.call(&["delete", "-f", "c"]).ok();
        for number in 3..11 {
            bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
            bundle.run().fails(125);
        }
    }
}

/// What is joined is what is shown: processes, queues and devices of the host's namespaces, to root of
/// another user namespace.
#[test]
fn namespaces_of_the_host_are_shown_to_a_user_namespace() {
    let targets = Targets::start();
    let look = "cat /proc/1/comm; ls /sys/class/net; grep -c . /proc/mounts > /dev/null; touch /dev/mqueue/q && ls /dev/mqueue; (touch /sys/x) 2>&1 | grep -o Read-only";
    for joined in [false, true] {
        let mut bundle = Bundle::new(look);
        let user = match joined {
            true => Way::Join(spec_of(targets.user_pid, Kind::User)),
            false => Way::New,
        };
        let of_host = |kind| (kind, Way::Join(spec_of(targets.host_pid, kind)));
        set_namespaces(
            &mut bundle,
            &[
                (Kind::User, user),
                (Kind::Mount, Way::New),
                of_host(Kind::Pid),
                of_host(Kind::Ipc),
                of_host(Kind::Network),
            ],
        );
        if !joined {
            bundle.map_ids();
        }
        bundle.caps(&["CAP_DAC_OVERRIDE"]);
        assert_eq!(
            bundle.run().ok(),
            "sleep\nlo\nq\nRead-only",
            "joined: {joined}"
        );
        let left = format!("/proc/{}/root/dev/mqueue/q", targets.host_pid);
        assert!(std::path::Path::new(&left).exists(), "it is the same queue");
        std::fs::remove_file(left).unwrap();
    }
    targets.stop();
}

/// K4, K5: root of a user namespace changes nothing of the host's kernel, with all of /proc/sys in reach: no
/// core pattern, no module path, no release agent of a v1 hierarchy.
#[test]
fn k4_k5_root_of_a_user_namespace_changes_no_kernel_setting() {
    let attack = "
        for f in kernel/core_pattern kernel/modprobe kernel/hotplug kernel/sysrq kernel/panic fs/file-max vm/swappiness; do
            (echo evil > /proc/sys/$f) 2>/dev/null && echo WRITTEN $f
        done
        (echo h > /proc/sysrq-trigger) 2>/dev/null && echo WRITTEN sysrq
        mkdir /tmp/c
        for h in memory pids cpu devices freezer; do
            mount -t cgroup -o $h none /tmp/c 2>/dev/null || continue
            find /tmp/c -name release_agent | while read f; do (echo /evil > $f) 2>/dev/null && echo WRITTEN $f; done
            umount /tmp/c
        done
        (echo 1 > /proc/sys/net/ipv4/ip_forward) && cat /proc/sys/net/ipv4/ip_forward";
    let mut bundle = Bundle::new(attack);
    all_new(&mut bundle, true);
    bundle.mount(json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}));
    for field in ["maskedPaths", "readonlyPaths"] {
        bundle.config["linux"][field] = json!([]);
    }
    bundle.caps(&[
        "CAP_SYS_ADMIN",
        "CAP_DAC_OVERRIDE",
        "CAP_SYS_RESOURCE",
        "CAP_NET_ADMIN",
        "CAP_SYS_MODULE",
    ]);
    let host = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    // What is its own it may change: the attack was not stopped by something else.
    assert_eq!(bundle.run().ok(), "1");
    assert_eq!(
        std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(),
        host
    );
}

/// K6: with the default profile a container makes no namespace and enters none, whoever its root is.
#[test]
fn k6_the_default_profile_allows_no_new_namespaces() {
    let script = "
        for flag in -U -m -n -i -u -p; do unshare $flag true 2>/dev/null && echo MADE $flag; done
        nsenter --net=/proc/self/ns/net true 2>/dev/null && echo ENTERED
        mount -t tmpfs none /tmp 2>/dev/null && echo MOUNTED; echo done";
    let mut bundle = Bundle::new(script);
    let target = berth_seccomp::Target {
        arch: berth_seccomp::Arch::native().unwrap(),
        caps: &[],
        kernel: (6, 1),
    };
    let profile = berth_seccomp::resolve_profile(berth_seccomp::DEFAULT_PROFILE, &target).unwrap();
    for user in [false, true] {
        for filtered in [true, false] {
            all_new(&mut bundle, user);
            bundle.caps(&["CAP_SYS_ADMIN"]);
            bundle.config["linux"]["seccomp"] = match filtered {
                true => json!(profile),
                false => Value::Null,
            };
            let run = bundle.run();
            assert_eq!(run.ok() == "done", filtered, "{run}");
        }
    }
}
