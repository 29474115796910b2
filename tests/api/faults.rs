//! What goes wrong around the daemon: hostile and slow bodies, descriptors and memory that run out, processes that
//! cannot be killed, records of other versions, and hours of work.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::eventually;

use crate::Api;

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

/// Each endpoint that takes a document.
const DOCUMENTS: [(&str, &str); 7] = [
    ("/containers/create", r#"{"Image":"busybox"}"#),
    ("/containers/cc/update", "{}"),
    ("/containers/cc/exec", r#"{"Cmd":["true"]}"#),
    ("/commit?container=cc&repo=made", "{}"),
    ("/volumes/create", "{}"),
    ("/auth", r#"{"serveraddress":"127.0.0.1:1"}"#),
    ("/networks/create", r#"{"Name":"n"}"#),
];

fn raw(api: &Api, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(api.daemon.socket()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    // It may have hung up before it has read all.
    _ = stream.write_all(bytes);
    _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Wherever a document is taken: what is none is a 4xx with a sentence, makes nothing, and harms nobody.
#[test]
fn documents_of_the_wrong_sort_are_refused_everywhere() {
    let api = Api::start();
    api.run("cc", "sleep 1000");
    let large = [
        b"{\"Labels\":{\"a\":\"".as_slice(),
        &b"a".repeat(5 << 20),
        b"\"}}",
    ]
    .concat();
    let deep = [b"{\"Labels\":".as_slice(), &b"[".repeat(100_000)].concat();
    let count = || {
        let all = |path| api.get(path).expect(200).json();
        let volumes = all("/volumes")["Volumes"].as_array().map_or(0, Vec::len);
        let containers = all("/containers/json?all=1").as_array().unwrap().len();
        (
            containers,
            volumes,
            all("/images/json").as_array().unwrap().len(),
        )
    };
    let before = count();
    for (path, good) in DOCUMENTS {
        for body in [
            &b"{"[..],
            b"[1]",
            b"1",
            b"\"x\"",
            b"{\"a\":1,\"a\":2}x",
            b"{\"Labels\":7,\"Memory\":\"x\",\"Cmd\":{},\"Name\":[],\"serveraddress\":{},\"Changes\":3}",
            b"\xff\xfe{}",
            &deep,
        ] {
            let answer = api.request("POST", path, &JSON, body);
            let refused = (400..500).contains(&answer.status) || answer.status == 501;
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
            // `/commit` reads what it knows of a configuration.
            assert!(refused, "{path} {shown}: {} {}", answer.status, answer.text());
            assert!(!answer.message().is_empty(), "{path} {shown}");
        }
        let status = api.request("POST", path, &JSON, &large).status;
        assert!(matches!(status, 413 | 501), "{path}: {status}");
        // The same, not knowing how long it will be.
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            large.len()
        );
        let answer = raw(&api, &[head.as_bytes(), &large, b"\r\n0\r\n\r\n"].concat());
        let refused = answer.starts_with("HTTP/1.1 413") || answer.starts_with("HTTP/1.1 501");
        assert!(refused, "{path}: {answer}");
        // Another sort than JSON.
        let kind = [("Content-Type", "text/plain")];
        let status = api.request("POST", path, &kind, good.as_bytes()).status;
        assert!(
            matches!(status, 400 | 501) || good == "{}",
            "{path}: {status}"
        );
    }
    _ = api.delete("/images/made");
    assert_eq!(count(), before);
}

/// D8: a request is understood in one way or not at all, and what comes behind it is a request of its own.
#[test]
fn d8_requests_that_can_be_read_in_two_ways_are_refused() {
    let api = Api::start();
    let create = "POST /volumes/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n";
    let body = r#"{"Name":"smuggled"}"#;
    let length = body.len();
    for request in [
        format!("{create}Content-Length: {length}\r\nContent-Length: 0\r\n\r\n{body}"),
        format!("{create}Content-Length: -1\r\n\r\n{body}"),
        format!("{create}Content-Length: +{length}\r\n\r\n{body}"),
        format!("{create}Content-Length: 99999999999999999999\r\n\r\n{body}"),
        format!("{create}Transfer-Encoding: gzip\r\n\r\n{body}"),
        format!("{create}Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"),
        format!("{create}Host: e\r\nContent-Length: {length}\r\n\r\n{body}"),
        format!("{create}X: a\r\n y\r\nContent-Length: {length}\r\n\r\n{body}"),
        format!("{create} Content-Length: {length}\r\n\r\n{body}"),
    ] {
        let answer = raw(&api, request.as_bytes());
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{request:?}: {answer}");
        // One answer: the body was not taken for a second request.
        assert!(
            answer.matches("HTTP/1.1 ").count() <= 1,
            "{request:?}: {answer}"
        );
    }
    // Without a length there is no body; what follows is no request.
    let answer = raw(
        &api,
        format!("{create}Content-Length: 0\r\n\r\n{body}").as_bytes(),
    );
    assert!(!answer.contains("smuggled"), "{answer}");
    // HTTP/2 is not spoken, and being offered it changes nothing.
    let upgrade = "GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    assert!(raw(&api, upgrade.as_bytes()).starts_with("HTTP/1.1 200"));
    let preface = raw(&api, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(!preface.contains(" 200 "), "{preface}");
    // Both length and chunks: the chunks count, or nothing does.
    let both = format!("{create}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    let answer = raw(&api, both.as_bytes());
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
    let names = api.get("/volumes").expect(200).text();
    assert!(!names.contains("smuggled"), "{names}");
}

/// Bodies that do not come hold up only who sends them; in full also until they are given up.
#[test]
fn slow_bodies_hold_nobody_up() {
    let api = Api::start();
    let head = "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let mut slow: Vec<UnixStream> = (0..200)
        .map(|_| {
            let mut stream = UnixStream::connect(api.daemon.socket()).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        let began = Instant::now();
        api.get("/_ping").expect(200);
        api.get("/containers/json").expect(200);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
    if std::env::var_os("BERTH_TEST_FULL").is_some() {
        let last = slow.last_mut().unwrap();
        let mut answer = String::new();
        last.set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        last.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    drop(slow);
    assert_eq!(api.get("/containers/json?all=1").expect(200).text(), "[]\n");
}

/// Who is refused before he has sent everything can send it, and reads why: many clients look for an answer only then.
#[test]
fn a_client_that_is_refused_early_may_send_all() {
    let api = Api::start();
    let body = vec![b'x'; 8 << 20];
    for (path, status) in [
        ("PUT /v1.41/containers/nosuch/archive?path=/tmp", 404),
        ("POST /v1.41/containers/create", 413),
        ("POST /v1.41/nosuch", 404),
    ] {
        let mut stream = UnixStream::connect(api.daemon.socket()).unwrap();
        let head = format!(
            "{path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
            .write_all(&body)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, format!("HTTP/1.1 {status}").as_bytes(), "{path}");
        // And it is served on: what was sent is none of the next request.
        stream
            .write_all(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("OK"), "{path}: {rest}");
    }
}

/// D32: the daemon's own directories and socket are given to no container, whatever they are called.
#[test]
fn d32_no_container_gets_the_engine_itself() {
    let api = Api::start();
    let (root, run) = (api.sandbox.state(), api.sandbox.run_dir());
    let link = api.sandbox.home().join("link");
    std::os::unix::fs::symlink(&run, &link).unwrap();
    for source in [
        &root,
        &run,
        &link,
        &root.join("containers"),
        &run.join("tasks"),
    ] {
        let source = source.display();
        let host = json!({"Binds": [format!("{source}:/x")]});
        let create = json!({"Image": "busybox", "Cmd": ["true"], "HostConfig": host});
        let made = api.post_json("/containers/create?name=cc", &create);
        // At the latest when it starts.
        let status = match made.status {
            201 => api.post("/containers/cc/start").status,
            status => status,
        };
        assert!((400..500).contains(&status), "{source}: {status}");
        _ = api.delete("/containers/cc");
    }
}

/// N11: without descriptors nobody new is served, nothing spins, and it goes on by itself.
#[test]
fn n11_a_daemon_without_descriptors_recovers() {
    let api = Api::start();
    api.run("cc", "sleep 1000");
    let pid = api.daemon.pid();
    let used = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let limit = used + 20;
    api.sandbox
        .shell_as_root(&format!("prlimit --pid {pid} --nofile={limit}:"))
        .ok();
    let crowd: Vec<UnixStream> = (0..100)
        .map(|_| UnixStream::connect(api.daemon.socket()).unwrap())
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let before = cpu_ms(pid);
    std::thread::sleep(Duration::from_secs(2));
    let spent = cpu_ms(pid) - before;
    assert!(spent < 500, "{spent} ms of CPU in 2 s");
    drop(crowd);
    eventually("it answers", || {
        let listed = api.get("/containers/json");
        (listed.status == 200 && listed.text().contains("/cc")).then_some(())
    });
    api.sandbox
        .shell_as_root(&format!("prlimit --pid {pid} --nofile=1024:"))
        .ok();
    let exec = api.docker(&["exec", "cc", "echo", "well"]);
    assert_eq!(exec.ok(), "well");
}

fn cpu_ms(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * 10
}

/// N12: who eats its memory is ended and told of as such, once; others and the daemon do not notice.
#[test]
fn n12_out_of_memory_is_the_containers_own() {
    let api = Api::start();
    api.run("other", "sleep 1000");
    let eater = [
        "run",
        "-d",
        "--name",
        "eater",
        "--memory",
        "16m",
        "busybox",
        "tail",
        "/dev/zero",
    ];
    api.docker(&eater).ok();
    let waited = api.post("/containers/eater/wait").expect(200).json();
    assert_eq!(waited["StatusCode"], 137);
    let state = api.get("/containers/eater/json").expect(200).json()["State"].clone();
    assert_eq!(
        (&state["OOMKilled"], &state["ExitCode"]),
        (&json!(true), &json!(137))
    );
    let filter = crate::rig::encoded(r#"{"event":["oom"]}"#);
    eventually("it is told", || {
        let events = format!("/events?since=0&until={}&filters={filter}", now());
        (api.get(&events).lines().len() == 1).then_some(())
    });
    assert_eq!(
        api.get("/containers/other/json").json()["State"]["Running"],
        true
    );
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// N16: a process that takes no signal, not even SIGKILL. Stopping it says so in time, all else goes on, and once it
/// takes signals again, all is as it should be.
#[test]
fn n16_what_cannot_be_killed_holds_nobody_up() {
    let api = Api::start();
    api.run("stuck", "sleep 1000");
    let other = api.run("other", "sleep 1000");
    let state = |name: &str| {
        api.get(&format!("/containers/{name}/json"))
            .expect(200)
            .json()["State"]
            .clone()
    };
    let pid = state("stuck")["Pid"].clone();
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    // A frozen process of cgroup v1 does not die: the only one that takes no SIGKILL and can be made at will.
    let freezer = cgroups
        .lines()
        .find_map(|line| line.split_once(":freezer:"));
    freezer.expect("the freezer of cgroup v1");
    let name = format!("{}-stuck", api.sandbox.cgroup_parent());
    let frozen = Frozen(Path::new("/sys/fs/cgroup/freezer").join(name));
    fs::create_dir(&frozen.0).unwrap();
    frozen.write("cgroup.procs", &pid.to_string());
    frozen.write("freezer.state", "FROZEN");
    let began = Instant::now();
    let answer = api.post("/containers/stuck/stop?t=1");
    let took = began.elapsed();
    assert!(answer.status >= 400, "{}: {}", answer.status, answer.text());
    assert!(answer.message().contains("kill"), "{}", answer.text());
    assert!(took < Duration::from_secs(30), "{took:?}");
    let began = Instant::now();
    api.get("/containers/json").expect(200);
    api.docker(&["exec", "other", "true"]).ok();
    api.docker(&["stop", "-t", "0", "other"]).ok();
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        api.get(&format!("/containers/{other}/json")).json()["State"]["Running"],
        false
    );
    frozen.write("freezer.state", "THAWED");
    eventually("it ends", || {
        (state("stuck")["Status"] == "exited").then_some(())
    });
    assert_eq!(state("stuck")["ExitCode"], 137);
    api.delete("/containers/stuck?force=1").expect(204);
}

/// A cgroup; thawed and removed at the end.
struct Frozen(PathBuf);

impl Frozen {
    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            _ = fs::write(self.0.join("freezer.state"), "THAWED");
            // Who is still alive goes back: the sandbox ends it.
            let pids = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
            for pid in pids.lines() {
                _ = fs::write(self.0.with_file_name("cgroup.procs"), pid);
            }
            _ = fs::remove_dir(&self.0);
            return;
        }
        self.write("freezer.state", "THAWED");
        eventually("nobody is left in it", || fs::remove_dir(&self.0).ok());
    }
}

/// N28: a record of a newer berth's is refused with words, alone, and stays as it is.
#[test]
fn n28_a_record_of_a_newer_version_is_left_alone() {
    let api = Api::start();
    let id = api
        .docker(&["create", "--name", "newer", "busybox"])
        .ok()
        .trim()
        .to_owned();
    api.run("cc", "sleep 1000");
    let path = api
        .sandbox
        .state()
        .join("containers")
        .join(&id)
        .join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    let newer = text.replacen("\"schema\":1", "\"schema\":2", 1);
    assert_ne!(newer, text);
    fs::write(&path, &newer).unwrap();
    let answer = api.post("/containers/newer/start");
    assert!(answer.status >= 400, "{}", answer.status);
    let words = answer.message();
    assert!(
        words.contains("version") || words.contains("schema"),
        "{words}"
    );
    let listed = api.get("/containers/json").expect(200).text();
    assert!(listed.contains("/cc"), "{listed}");
    api.docker(&["exec", "cc", "true"]).ok();
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    // The version that it is of takes it up again.
    fs::write(&path, &text).unwrap();
    api.post("/containers/newer/start").expect(204);
}

/// N30, short: after mixed work the daemon holds what it held before.
#[test]
fn n30_nothing_grows() {
    let api = Api::start();
    let full = std::env::var_os("BERTH_TEST_FULL").is_some();
    let rounds = if full { 2000 } else { 40 };
    let work = |round: usize| {
        let name = format!("w{round}");
        let create = json!({"Image": "busybox", "Cmd": ["sh", "-c", "echo hello; sleep 1000"], "Volumes": {"/v": {}}});
        api.post_json(&format!("/containers/create?name={name}"), &create)
            .expect(201);
        api.post(&format!("/containers/{name}/start")).expect(204);
        api.get(&format!("/containers/{name}/json")).expect(200);
        api.get("/containers/json?all=1").expect(200);
        api.get(&format!("/containers/{name}/logs?stdout=1"))
            .expect(200);
        api.get(&format!(
            "/containers/{name}/stats?stream=false&one-shot=true"
        ))
        .expect(200);
        let exec = json!({"Cmd": ["true"]});
        let exec = api
            .post_json(&format!("/containers/{name}/exec"), &exec)
            .expect(201)
            .json();
        let exec = exec["Id"].as_str().unwrap().to_owned();
        api.post_json(&format!("/exec/{exec}/start"), &json!({"Detach": true}))
            .expect(200);
        api.get("/images/json").expect(200);
        api.delete(&format!("/containers/{name}?force=1&v=1"))
            .expect(204);
    };
    (0..10).for_each(work);
    let pid = api.daemon.pid();
    let held = || {
        let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let place = api.sandbox.path().display().to_string();
        let own = mounts.lines().filter(|line| line.contains(&place)).count();
        (count("fd"), own)
    };
    // What it keeps is memory of its own. Pages of the program's file count by how many processes share them: that
    // grows whenever another berth on the machine ends.
    let own_kib = || {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let of = |kind: &str| {
            let line = text.lines().find(|line| line.starts_with(kind)).unwrap();
            let number = line.split_whitespace().nth(1).unwrap();
            number.parse::<u64>().unwrap()
        };
        of("Pss_Anon:") + of("Pss_Shmem:")
    };
    let (before, memory) = (held(), own_kib());
    (10..10 + rounds).for_each(work);
    eventually("nothing is held", || {
        let now = held();
        (now.0 <= before.0 && now.1 <= before.1).then_some(())
    });
    let grown = own_kib().saturating_sub(memory);
    // Where it settles depends on how many threads have worked at once; per round it must be next to nothing.
    assert!(grown < 6 << 10, "{grown} KiB more after {rounds} rounds");
    let left = api.sandbox.processes();
    assert_eq!(left, [pid as i32], "the daemon alone");
}
