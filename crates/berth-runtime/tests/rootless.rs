//! Containers of an ordinary user, and of root of a user namespace: without any privilege on the host. Needs
//! root (to become that user) and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod ns_rig;
mod rig;

use ns_rig::{KINDS, Kind, PRINT, Way, ids_of, inside, map, offsets, set_namespaces, spec_of};
use serde_json::{Value, json};

const SLEEP: &str = "sleep 1000";

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
    bundle.without_namespace("user");
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
    bundle.open_up();
    let run = ns_rig::as_root_of_a_namespace(&bundle, &user, &["run", "c"]);
    assert_eq!(run.ok(), " 0 1 1000");
    // By a maker, whose maps the runtime writes.
    offsets(&mut bundle, json!({"secs": 1}), Value::Null);
    let run = ns_rig::as_root_of_a_namespace(&bundle, &user, &["run", "c"]);
    assert_eq!(run.ok(), " 0 1 1000");
}

/// A namespace of another user namespace cannot be joined, though both are the user's; nor can a device of the
/// host be taken. What is said names it.
#[test]
fn rootless_takes_nothing_that_belongs_to_others() {
    let user = testkit::TestUser::get();
    let first = ns_rig::rootless(&user, SLEEP);
    ns_rig::start_as_user(&first, &user);
    let state = ns_rig::as_user(&first, &user, &["state", "c"]);
    let state: Value = serde_json::from_str(state.ok()).unwrap();
    let pid = state["pid"].as_i64().unwrap() as i32;
    for kind in [Kind::Network, Kind::Ipc, Kind::Uts, Kind::Pid] {
        let mut second = ns_rig::rootless(&user, "true");
        let mut list = vec![(Kind::User, Way::New), (Kind::Mount, Way::New)];
        list.push((kind, Way::Join(spec_of(pid, kind))));
        set_namespaces(&mut second, &list);
        let run = ns_rig::as_user(&second, &user, &["run", "c"]);
        let says = format!("join the {} namespace", kind.word());
        let stderr = run.fails(125);
        assert!(
            stderr.contains(&says) && stderr.contains("belongs to a user"),
            "{run}"
        );
    }
    ns_rig::as_user(&first, &user, &["delete", "-f", "c"]).ok();
    let mut third = ns_rig::rootless(&user, "true");
    third.config["linux"]["netDevices"] = json!({"lo": {"name": "lo0"}});
    let run = ns_rig::as_user(&third, &user, &["run", "c"]);
    assert!(run.fails(125).contains("network device lo"), "{run}");
}

/// `--rootless`: whether cgroups that may not be made are done without; found out when it is not told.
#[test]
fn rootless_is_told_or_found_out() {
    let user = testkit::TestUser::get();
    let bundle = ns_rig::rootless(&user, "echo up");
    for (told, good) in [("auto", true), ("true", true), ("false", false)] {
        let option = format!("--rootless={told}");
        let run = ns_rig::as_user(&bundle, &user, &[&option, "run", "c"]);
        assert_eq!(run.status.success(), good, "{told}: {run}");
        assert!(good || run.stderr.contains("cgroup"), "{told}: {run}");
    }
}

/// R9: an ordinary user's container without a cgroup namespace writes to no cgroup that is not its own,
/// however they are mounted.
#[test]
fn r9_an_ordinary_user_writes_to_no_cgroup() {
    let user = testkit::TestUser::get();
    let write = "
        find /sys/fs/cgroup/*/ -type f | while read f; do (echo 1 > $f) 2>/dev/null && echo WRITTEN $f; done
        find /sys/fs/cgroup/*/ -type d | while read d; do mkdir $d/x 2>/dev/null && echo MADE $d; done
        true";
    let mut bundle = ns_rig::rootless(&user, write);
    for mount in [
        json!({"type": "cgroup", "source": "cgroup", "options": ["rw", "nosuid"]}),
        json!({"type": "bind", "source": "/sys/fs/cgroup", "options": ["rbind", "rw"]}),
    ] {
        let mut mount = mount;
        mount["destination"] = json!("/sys/fs/cgroup");
        bundle.mount(mount);
        let run = ns_rig::as_user(&bundle, &user, &["run", "c"]);
        assert_eq!(run.ok(), "", "{run}");
    }
}
