//! Namespaces: new, joined by path, or the host's own, in every combination; id maps, clocks, network
//! devices; as root, as an ordinary user, and as root of a user namespace. Needs root and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod ns_rig;
mod rig;

use std::collections::BTreeMap;
use std::time::Duration;

use ns_rig::{
    Helper, KINDS, Kind, Way, ids_of, inside, map, set_namespaces, spec_of, with_user_namespace,
};
use rig::Bundle;
use serde_json::{Value, json};
use testkit::Finished;

const SLEEP: &str = "sleep 1000";

/// What a container's init prints: its namespaces, one a line.
const PRINT: &str =
    "for n in user mnt pid net ipc uts cgroup time; do readlink /proc/self/ns/$n; done";

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
        set_namespaces(&mut user, &KINDS.map(|k| (k, Way::New)));
        with_user_namespace(&mut user);
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
        let shown = user == 2 && matches!(kind, Kind::Pid | Kind::Ipc);
        let of_user = kind == Kind::User || shown || (index + usize::from(ways[0])) % 2 == 0;
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
        with_user_namespace(bundle);
        if way_of(Kind::Pid) == 2 {
            // Root of another user namespace may not see that one; but the host's, if it is given.
            bundle.mount(json!({"destination": "/proc", "source": "/proc", "options": ["rbind"]}));
        }
    }
    if (user == 1 && way_of(Kind::Ipc) == 2) || (user != 0 && way_of(Kind::Ipc) == 0) {
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
/// Source: config-linux.md "Namespaces": the runtime MUST place the container process in the namespace
/// associated with `path`; without one it MUST create a new namespace; of a type that is not specified the
/// container MUST inherit the runtime's.
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
    let mut list = KINDS.map(|k| (k, Way::New))[1..].to_vec();
    list.retain(|(kind, _)| *kind != Kind::Uts);
    for uts in [None, Some(own(Kind::Uts))] {
        for name in ["hostname", "domainname"] {
            let mut bundle = Bundle::new("true");
            set_namespaces(
                &mut bundle,
                &list.iter().cloned().chain(uts.clone()).collect::<Vec<_>>(),
            );
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
    let mut list = KINDS.map(|k| (k, Way::New))[1..].to_vec();
    list.retain(|(kind, _)| *kind != Kind::Uts);
    list.push((Kind::Uts, Way::Join(spec_of(helper.pid(), Kind::Uts))));
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
    let mut list = KINDS.map(|k| (k, Way::New))[1..].to_vec();
    list.retain(|(kind, _)| *kind != Kind::Mount);
    list.push((Kind::Mount, Way::Join(spec_of(helper.pid(), Kind::Mount))));
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

fn offsets(bundle: &mut Bundle, monotonic: Value, boottime: Value) {
    bundle.config["linux"]["timeOffsets"] = json!({"monotonic": monotonic, "boottime": boottime});
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
        set_namespaces(
            &mut bundle,
            &KINDS.map(|k| (k, Way::New))[usize::from(!user)..],
        );
        if user {
            with_user_namespace(&mut bundle);
        }
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
    bundle.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|n| n["type"] != "cgroup");
    with_user_namespace(&mut bundle);
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
        set_namespaces(&mut bundle, &KINDS.map(|k| (k, Way::New)));
        with_user_namespace(&mut bundle);
        bundle.config["linux"][field] = wrong.clone();
        let run = bundle.run();
        assert!(run.fails(125).contains("apping"), "{wrong}: {}", run.stderr);
    }
    set_namespaces(&mut bundle, &[(Kind::Mount, Way::New)]);
    with_user_namespace(&mut bundle);
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
    ns_rig::open_up(&bundle);
    // The name is set: the new uts namespace belongs to the joined user namespace.
    assert_eq!(bundle.run().ok(), " 0 100000 65536\n0\ninner");
    with_user_namespace(&mut bundle);
    assert_eq!(bundle.run().ok(), " 0 100000 65536\n0\ninner");
    bundle.config["linux"]["uidMappings"] = map(&[(0, 100_000, 65_535)]);
    assert!(bundle.run().fails(125).contains("uidMappings"));
    targets.stop();
}

/// Maps without a 0: init is whoever the process is.
#[test]
fn a_user_namespace_without_root() {
    let mut bundle = Bundle::new("id -u; id -g; tr -s ' ' < /proc/self/uid_map");
    set_namespaces(&mut bundle, &KINDS.map(|k| (k, Way::New)));
    with_user_namespace(&mut bundle);
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

/// An ordinary user, without any privilege: one id; then with his subordinate ids.
#[test]
fn rootless_with_one_id_and_with_subordinate_ids() {
    let user = testkit::TestUser::get();
    let look = "id -u; cat /proc/self/setgroups; tr -s ' ' < /proc/self/gid_map";
    let bundle = &mut ns_rig::rootless(&user, look);
    let run = ns_rig::as_user(bundle, &user, &["run", "c"]);
    assert_eq!(run.ok(), format!("0\ndeny\n 0 {} 1", user.gid));

    let (uids, gids) = (
        ns_rig::sub_ids("/etc/subuid", &user),
        ns_rig::sub_ids("/etc/subgid", &user),
    );
    bundle.config["linux"]["uidMappings"] = map(&[(0, user.uid, 1), (1, uids, 65_535)]);
    bundle.config["linux"]["gidMappings"] = map(&[(0, user.gid, 1), (1, gids, 65_535)]);
    let run = ns_rig::as_user(bundle, &user, &["run", "c"]);
    assert_eq!(
        run.ok(),
        format!("0\nallow\n 0 {} 1\n 1 {gids} 65535", user.gid)
    );
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": [7]});
    bundle.config["process"]["args"] = json!(["sh", "-c", "id -u; id -G"]);
    let run = ns_rig::as_user(bundle, &user, &["run", "c"]);
    assert_eq!(run.ok(), "1000\n1000 7");

    // Somebody else's ids.
    bundle.config["linux"]["uidMappings"] = map(&[(0, user.uid, 1), (1, uids + 70_000, 5000)]);
    let run = ns_rig::as_user(bundle, &user, &["run", "c"]);
    assert!(
        run.fails(125).contains("id maps: newuidmap"),
        "{}",
        run.stderr
    );
    // And none at all.
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|n| n["type"] != "user");
    bundle.config["linux"]["uidMappings"] = json!([]);
    bundle.config["linux"]["gidMappings"] = json!([]);
    let run = ns_rig::as_user(bundle, &user, &["run", "c"]);
    assert!(run.fails(125).contains("not permitted"), "{}", run.stderr);
}

/// Exec, a second container in the user namespace of the first, clocks: without any privilege.
#[test]
fn rootless_containers_are_entered_and_joined() {
    let user = testkit::TestUser::get();
    let mut first = ns_rig::rootless(&user, SLEEP);
    first.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "time"}));
    offsets(&mut first, json!({"secs": 5}), Value::Null);
    ns_rig::start_as_user(&first, &user);
    let state = ns_rig::as_user(&first, &user, &["state", "c"]);
    let state: Value = serde_json::from_str(state.ok()).unwrap();
    let pid = state["pid"].as_i64().unwrap() as i32;
    let exec = ns_rig::as_user(&first, &user, &["exec", "c", "sh", "-c", PRINT]);
    assert_eq!(inside(exec.ok()), ids_of(pid));

    let mut second = ns_rig::rootless(&user, PRINT);
    let kinds = [
        Kind::User,
        Kind::Network,
        Kind::Ipc,
        Kind::Uts,
        Kind::Time,
        Kind::Pid,
    ];
    let mut list: Vec<_> = kinds
        .iter()
        .map(|k| (*k, Way::Join(spec_of(pid, *k))))
        .collect();
    list.push((Kind::Mount, Way::New));
    set_namespaces(&mut second, &list);
    second.config["linux"]["uidMappings"] = json!([]);
    second.config["linux"]["gidMappings"] = json!([]);
    let run = ns_rig::as_user(&second, &user, &["run", "c"]);
    let (seen, of_first) = (inside(run.ok()), ids_of(pid));
    for kind in kinds {
        assert_eq!(seen[&kind], of_first[&kind], "{kind:?}");
    }
    ns_rig::as_user(&first, &user, &["delete", "-f", "c"]).ok();
}

/// Root of a user namespace: what a rootless engine runs this runtime as.
#[test]
fn root_of_a_user_namespace_makes_containers() {
    let user = testkit::TestUser::get();
    let mut bundle = ns_rig::rootless(&user, PRINT);
    let kinds = [Kind::Pid, Kind::Network, Kind::Ipc, Kind::Uts, Kind::Mount];
    set_namespaces(&mut bundle, &kinds.map(|k| (k, Way::New)));
    for field in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][field] = json!([]);
    }
    let host = ids_of(std::process::id() as i32);
    let run = ns_rig::as_root_of_a_namespace(&bundle, &user, &["run", "c"]);
    assert!(inside(run.ok()).iter().all(|(kind, id)| {
        let isolated = kinds.contains(kind) || *kind == Kind::User;
        (*id != host[kind]) == isolated
    }));
    // And one in it.
    set_namespaces(&mut bundle, &KINDS.map(|k| (k, Way::New)));
    bundle.config["linux"]["uidMappings"] = map(&[(0, 1, 1000)]);
    bundle.config["linux"]["gidMappings"] = map(&[(0, 1, 1000)]);
    bundle.config["process"]["args"] = json!(["sh", "-c", "tr -s ' ' < /proc/self/uid_map"]);
    std::fs::set_permissions(
        bundle.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let run = ns_rig::as_root_of_a_namespace(&bundle, &user, &["run", "c"]);
    assert_eq!(run.ok(), " 0 1 1000");
}

/// In a network namespace of the test's own; `script` prepares it and says `@` for the runtime's `run`.
fn in_own_network(bundle: &Bundle, script: &str) -> Finished {
    let run = bundle.command(&["run", "c"]);
    let words = std::iter::once(run.get_program()).chain(run.get_args());
    let line: Vec<_> = words.map(|w| w.to_str().unwrap()).collect();
    let mut command = std::process::Command::new("unshare");
    let script = format!(
        "set -e; ip link set lo up; {}",
        script.replace('@', &line.join(" "))
    );
    command
        .args(["--net", "sh", "-c", &script])
        .current_dir(bundle.path());
    Finished::run(&mut command, b"", Duration::from_secs(60))
}

/// Source: config-linux.md "Network devices": the device is moved, with its attributes and global addresses,
/// and is up; a name that is taken MUST be an error, one with `%d` is completed by the kernel.
#[test]
fn network_devices_are_moved_into_the_container() {
    const PAIR: &str = "ip link add name one type veth peer name two; ip link set two up;
        ip link set one mtu 1432 address 02:00:00:00:00:07; ip address add 10.9.8.7/24 dev one;
        ip link set one up; ip address add fd00::7/64 dev one;";
    let show = "ip address show | grep -oE '^[0-9]+: [a-z0-9]+|mtu [0-9]+|,UP|ether [0-9:]+|inet6? [0-9a-f.:]+/[0-9]+ .*global'";
    for user in [false, true] {
        let mut bundle = Bundle::new(show);
        set_namespaces(
            &mut bundle,
            &KINDS.map(|k| (k, Way::New))[usize::from(!user)..],
        );
        if user {
            with_user_namespace(&mut bundle);
        }
        for (new, name) in [("", "one"), ("ctr0", "ctr0"), ("eth%d", "eth0")] {
            bundle.config["linux"]["netDevices"] = json!({"one": {"name": new}});
            let run = in_own_network(
                &bundle,
                &format!("{PAIR} @; ip link show two | grep -c 'one@'"),
            );
            let text = &run.stdout;
            for part in [
                &format!(": {name}\n"),
                "mtu 1432\n",
                "ether 02:00:00:00:00:07\n",
                "inet 10.9.8.7/24 scope global\n",
                "inet6 fd00::7/64 scope global\n",
                ",UP\n",
            ] {
                assert!(text.contains(part), "{new} {part}: {run}");
            }
            assert!(!text.contains(": two\n"), "{run}");
        }
    }
}

#[test]
fn network_devices_that_cannot_be_moved_are_an_error() {
    let mut bundle = Bundle::new("true");
    let mut try_it = |devices: Value, prepare: &str, says: &str| {
        bundle.config["linux"]["netDevices"] = devices.clone();
        let run = in_own_network(&bundle, &format!("{prepare} @"));
        assert!(run.fails(125).contains(says), "{devices}: {}", run.stderr);
    };
    let pair = "ip link add name one type veth peer name two;";
    try_it(json!({"gone": {}}), "", "network device gone");
    try_it(json!({"one": {"name": "lo"}}), pair, "network device one");
    try_it(json!({"lo": {}}), "", "network device lo");
    try_it(
        json!({"one": {"name": "a/b"}}),
        pair,
        "names no network device",
    );
    try_it(
        json!({"one": {"name": "x"}, "two": {"name": "x"}}),
        pair,
        "two network devices",
    );
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|n| n["type"] != "network");
    bundle.config["linux"]["netDevices"] = json!({"lo": {}});
    assert!(bundle.run().fails(125).contains("network namespace"));
}

/// A device for a network namespace that is joined stays there.
#[test]
fn a_network_device_goes_into_a_joined_namespace() {
    let helper = Helper::all();
    let mut bundle = Bundle::new("ip -o link | cut -d: -f2 | cut -d@ -f1 | tr -d '\\n '");
    let mut list = KINDS.map(|k| (k, Way::New))[1..].to_vec();
    list.retain(|(kind, _)| *kind != Kind::Network);
    list.push((
        Kind::Network,
        Way::Join(spec_of(helper.pid(), Kind::Network)),
    ));
    set_namespaces(&mut bundle, &list);
    bundle.config["linux"]["netDevices"] = json!({"one": {"name": "eth0"}});
    let pair = "ip link add name one type veth peer name two;";
    let run = in_own_network(
        &bundle,
        &format!("{pair} @; ip link show two > /dev/null; sleep 0.1"),
    );
    assert_eq!(run.ok(), "loeth0");
}
