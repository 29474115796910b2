//! `--systemd-cgroup` of an ordinary user: scopes of his own systemd, which is where the tests' user has no right
//! to move a process by himself.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use testkit::Finished;
use testkit::harness::Test;

use super::rootless::bundle;

pub const TESTS: &[Test] = testkit::tests![
    systemd_user_scope_has_the_limits,
    systemd_user_as_root_of_a_namespace,
    systemd_user_without_a_manager_is_told,
];

/// As if logged in: not below his own systemd.
fn logged_in(script: &str, runtime_dir: &str) -> Finished {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=1000", "--regid=1000", "--clear-groups", "env"])
        .args(["-u", "DBUS_SESSION_BUS_ADDRESS", "HOME=/home/berth-test"])
        .arg(format!("XDG_RUNTIME_DIR={runtime_dir}"))
        .args(["sh", "-euc", script]);
    Finished::run(&mut command, b"", Duration::from_secs(80))
}

const UNIT_DIR: &str = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/user.slice";

fn systemd_user_scope_has_the_limits() {
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 20}});
    let dir = bundle("scope", "exec sleep 1000", &limits);
    let script = format!(
        "rt='/share/bin/berth-runtime --root {dir}/state'
        show() {{ systemctl --user show --value -p $1 berth-u.scope; }}
        $rt --systemd-cgroup run -d -b {dir} u </dev/null >/dev/null 2>{dir}/said || {{ cat {dir}/said >&2; exit 1; }}
        for name in MemoryMax TasksMax Slice; do show $name; done
        cat {UNIT_DIR}/berth-u.scope/memory.max {UNIT_DIR}/berth-u.scope/pids.max
        $rt exec u sh -c 'id -u; cat /proc/self/cgroup'
        $rt update --pids-limit 30 u
        show TasksMax; cat {UNIT_DIR}/berth-u.scope/pids.max
        $rt delete -f u
        show LoadState; ls -d {UNIT_DIR}/berth-u.scope 2>/dev/null || echo gone"
    );
    let run = logged_in(&script, "/run/user/1000");
    let wanted = "67108864\n20\nuser.slice\n67108864\n20\n0\n0::/\n30\n30\nnot-found\ngone";
    assert_eq!(run.ok(), wanted, "{run}");
}

/// As podman calls it: in a user namespace of its own, with no other for the container.
fn systemd_user_as_root_of_a_namespace() {
    let dir = bundle(
        "inside",
        "cat /proc/self/cgroup; id -u",
        &json!({"pids": {"limit": 20}}),
    );
    let path = format!("{dir}/config.json");
    let mut config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let list = config["linux"]["namespaces"].as_array_mut().unwrap();
    list.retain(|namespace| namespace["type"] != "user");
    if !list.iter().any(|namespace| namespace["type"] == "cgroup") {
        list.push(json!({"type": "cgroup"}));
    }
    for maps in ["uidMappings", "gidMappings"] {
        config["linux"].as_object_mut().unwrap().remove(maps);
    }
    std::fs::write(&path, config.to_string()).unwrap();
    let script = format!(
        "rt='/share/bin/berth-runtime --root {dir}/state'
        /share/bin/berth-runtime unshare $rt --systemd-cgroup run -b {dir} n </dev/null
        systemctl --user show --value -p LoadState berth-n.scope"
    );
    let run = logged_in(&script, "/run/user/1000");
    assert_eq!(run.ok(), "0::/\n0\nnot-found", "{run}");
}

fn systemd_user_without_a_manager_is_told() {
    let dir = bundle("none", "id -u", &json!({}));
    let script = format!(
        "/share/bin/berth-runtime --root {dir}/state --systemd-cgroup run -b {dir} x </dev/null"
    );
    let run = logged_in(&script, "/run/user/77");
    let told = "--systemd-cgroup needs the user's systemd: there is no /run/user/77/bus";
    assert!(
        run.stderr.contains(told) && run.stderr.contains("enable-linger"),
        "{run}"
    );
}
