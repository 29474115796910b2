//! What a daemon is told, by options and `daemon.toml`, and what it tells: metrics, its log, grants.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use testkit::daemon::Daemon;
use testkit::{Finished, Sandbox, eventually};

fn file(s: &Sandbox, text: &str) -> PathBuf {
    s.file("daemon.toml", text)
}

/// A daemon with this file.
fn with(s: &Sandbox, text: &str) -> Daemon {
    let path = file(s, text);
    Daemon::start(s, &["--config-file", path.to_str().unwrap()])
}

/// `berth` as its client.
fn client(s: &Sandbox, daemon: &Daemon, arguments: &[&str]) -> Finished {
    let address = daemon.address();
    s.berth(&[&["-H", &address], arguments].concat())
}

fn says(daemon: &Daemon, text: &str) {
    eventually(text, || daemon.said().contains(text).then_some(()));
}

/// A request by the API; what it answers behind its head.
fn api(daemon: &Daemon, method: &str, path: &str, body: &str) -> String {
    let kind = [("Content-Type", "application/json")];
    testkit::http::request(daemon.socket(), method, path, &kind, body.as_bytes()).text()
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_its_line() {
    let s = Sandbox::root();
    for (text, said) in [
        ("\nhots = []", "line 2: unknown field `hots`"),
        ("log_level = \"loud\"", "line 1: unknown variant `loud`"),
        ("\n\nlabels = [\"x\"]", "line 3: the label `x`"),
        ("hosts = [\"http://x\"]", "line 1 of the settings"),
        (
            "log_driver = \"paper\"",
            "line 1: there is no log driver `paper`",
        ),
    ] {
        let path = file(&s, text);
        let refused = s.berth(&["daemon", "--config-file", path.to_str().unwrap()]);
        assert!(refused.code() != 0, "{refused}");
        assert!(
            refused.stderr.contains(said) && refused.stderr.contains("hint: "),
            "{refused}"
        );
    }
    let refused = s.berth(&["daemon", "--config-file", "/no/such/file"]);
    assert!(
        refused.stderr.contains("cannot read `/no/such/file`"),
        "{refused}"
    );
}

#[test]
fn settings_count_and_are_read_again() {
    let s = Sandbox::root().with_busybox();
    let text = "labels = [\"rack=4\"]\nlog_driver = \"json-file\"\n[log_opts]\nmax-size = \"4m\"\n";
    let daemon = with(&s, text);
    let info = api(&daemon, "GET", "/v1.41/info", "");
    assert!(info.contains("\"rack=4\""), "{info}");
    let create = |name: &str, log: &str| {
        let body =
            format!("{{\"Image\": \"busybox\", \"Cmd\": [\"true\"], \"HostConfig\": {{{log}}}}}");
        let path = format!("/v1.41/containers/create?name={name}");
        let made = api(&daemon, "POST", &path, &body);
        assert!(made.contains("\"Id\""), "{made}");
        let log = "{{json .HostConfig.LogConfig}}";
        s.berth(&["inspect", "-f", log, name]).ok().to_owned()
    };
    let given = create("aa", "");
    assert!(
        given.contains("json-file") && given.contains("4m"),
        "{given}"
    );
    let asked = create("bb", "\"LogConfig\": {\"Type\": \"none\"}");
    assert!(asked.contains("none") && !asked.contains("4m"), "{asked}");
    // What is wrong changes nothing.
    file(&s, "labels = [\"rack=5\"]\nlog_driver = 7\n");
    daemon.reload();
    says(&daemon, "the settings stay as they were");
    says(&daemon, "line 2");
    assert!(api(&daemon, "GET", "/v1.41/info", "").contains("\"rack=4\""));
    assert!(create("cc", "").contains("4m"));
    // What is right counts, and what does not is named.
    file(
        &s,
        "labels = [\"rack=5\"]\nlog_driver = \"none\"\nlog_format = \"json\"\nhosts = [\"fd://\"]\n",
    );
    daemon.reload();
    says(&daemon, "hosts counts at the next start");
    assert!(api(&daemon, "GET", "/v1.41/info", "").contains("\"rack=5\""));
    assert!(create("dd", "").contains("none"));
    let said = daemon.said();
    let line = said
        .lines()
        .find(|line| line.contains("read again"))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["level"], "info");
    let events = [
        "events",
        "--since",
        "0",
        "--until",
        "0s",
        "--filter",
        "type=daemon",
    ];
    let told = s.berth(&[&events[..], &["--format", "{{.Action}}"]].concat());
    assert_eq!(told.ok(), "reload");
}

/// As often as the settings say, for whoever asks, with a daemon or without.
#[test]
fn what_containers_use_is_written_down() {
    let s = Sandbox::root().with_busybox();
    let daemon = with(&s, "stats_interval_s = 1\n");
    let busy = ["run", "-d", "--name", "busy", "--network", "none"];
    s.berth(&[&busy[..], &["busybox", "sh", "-c", "while :; do :; done"]].concat())
        .ok();
    let past = || -> Vec<serde_json::Value> {
        let told = s.berth(&["stats", "--history", "--format", "json", "busy"]);
        let lines = told.ok().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    eventually("two moments", || (past().len() >= 2).then_some(()));
    let text = api(&daemon, "GET", "/v1.41/containers/busy/stats/history", "");
    let moments: serde_json::Value = serde_json::from_str(&text).unwrap();
    let last = &moments[moments.as_array().unwrap().len() - 1];
    assert!(last["cpu_percent"].as_f64().unwrap() > 1.0, "{last}");
    assert!(last["memory"].as_u64().unwrap() > 4096, "{last}");
    assert_eq!(last["pids"], 1);
    file(&s, "labels = []\n");
    daemon.reload();
    says(&daemon, "read again");
    // A look that had begun may still be written down.
    std::thread::sleep(Duration::from_millis(500));
    let told = past();
    std::thread::sleep(Duration::from_millis(2500));
    drop(daemon);
    assert_eq!(past(), told);
    assert!(told[0]["CPUPerc"].as_str().unwrap().ends_with('%'));
}

/// At the loopback, unless an address is named.
#[test]
fn ports_are_published_where_the_settings_say() {
    let s = Sandbox::root().with_busybox();
    let daemon = with(&s, "publish_default = \"loopback\"\n");
    let run = |name: &str| {
        let body = r#"{"Image": "busybox", "Cmd": ["sleep", "100"], "ExposedPorts": {"82/tcp": {}},
            "HostConfig": {"PublishAllPorts": true, "PortBindings": {"80/tcp": [{}], "81/tcp": [{"HostIp": "0.0.0.0"}]}}}"#;
        let path = format!("/v1.41/containers/create?name={name}");
        api(&daemon, "POST", &path, body);
        s.berth(&["start", name]).ok();
        s.berth(&["port", name]).ok().to_owned()
    };
    let told = run("aa");
    for place in [
        "80/tcp -> 127.0.0.1:",
        "81/tcp -> 0.0.0.0:",
        "82/tcp -> 127.0.0.1:",
    ] {
        assert!(told.contains(place), "{told}");
    }
    file(&s, "");
    daemon.reload();
    says(&daemon, "read again");
    let told = run("bb");
    assert_eq!(told.matches(" -> 0.0.0.0:").count(), 3, "{told}");
}

#[test]
fn prometheus_is_told() {
    let s = Sandbox::root().with_busybox();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("127.0.0.1:{port}");
    let _daemon = Daemon::start(&s, &["--metrics-addr", &address]);
    s.berth(&["run", "-d", "--network", "none", "busybox", "sleep", "100"])
        .ok();
    s.berth(&["create", "--network", "none", "busybox"]).ok();
    let ask = |line: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream
            .write_all(format!("{line} HTTP/1.1\r\nHost: m\r\n\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = ask("GET /metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for line in [
        "engine_daemon_container_states_containers{state=\"running\"} 1",
        "engine_daemon_container_states_containers{state=\"stopped\"} 1",
        "# TYPE engine_daemon_health_checks_total counter",
    ] {
        assert!(answer.contains(line), "{line} is not in {answer}");
    }
    assert!(ask("GET /").starts_with("HTTP/1.1 404"));
    assert!(ask("POST /metrics").starts_with("HTTP/1.1 405"));
}

/// D32: who is given the host's things is told of, whoever makes it; others are not.
#[test]
fn d32_grants_are_told() {
    let s = Sandbox::root().with_busybox();
    let daemon = Daemon::start(&s, &["--log-format", "json", "--log-level", "error"]);
    s.berth(&["create", "--name", "plain", "busybox"]).ok();
    let socket = format!("{}:/sock", daemon.socket().display());
    for options in [
        &["--privileged"][..],
        &["--cap-add", "NET_ADMIN", "--pid", "host"],
        &["-v", "/:/host:ro"],
        &["-v", &socket],
    ] {
        client(&s, &daemon, &[&["create"], options, &["busybox"]].concat()).ok();
    }
    let line = ["run", "-d", "--name", "plain-too", "--network", "none"];
    s.berth(&[&line[..], &["busybox", "sleep", "100"]].concat())
        .ok();
    for options in [&["exec"][..], &["exec", "--privileged"]] {
        let line = [options, &["plain-too", "true"]].concat();
        client(&s, &daemon, &line).ok();
    }
    let audits = || -> Vec<serde_json::Value> {
        let said = daemon.said();
        let lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    };
    eventually("all are told", || (audits().len() >= 5).then_some(()));
    let audits = audits();
    let grants: Vec<String> = audits
        .iter()
        .map(|line| line["grants"].to_string())
        .collect();
    assert_eq!(
        grants[..3],
        [
            r#"["all privileges"]"#,
            r#"["the host's processes","the capability CAP_NET_ADMIN"]"#,
            r#"["/ of the host (read-only)"]"#
        ]
    );
    assert!(
        grants.len() == 5 && grants[3].contains("d.sock of the host"),
        "{grants:?}"
    );
    assert_eq!(grants[4], r#"["all capabilities for `true`"]"#);
    assert_eq!(audits[0]["level"], "audit");
    assert_eq!(audits[0]["image"], "busybox");
}
