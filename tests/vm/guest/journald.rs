//! The log driver `journald` with systemd's own journal.

use serde_json::Value;
use testkit::eventually;
use testkit::harness::Test;

use super::shell;

pub const TESTS: &[Test] = testkit::tests![journald_keeps_what_a_container_says];

const BERTH: &str = "/share/bin/berth --root /var/tmp/berth-j --run-dir /run/berth-j";

fn journald_keeps_what_a_container_says() {
    // Left out of the boot: nobody else misses it.
    let start = "modprobe overlay; rm /run/systemd/system/systemd-journald.service; systemctl daemon-reload && \
                 systemctl restart systemd-journald.socket && systemctl start systemd-journald.service";
    shell(start).ok();
    shell(&format!(
        "tar -C / -ch bin/busybox | {BERTH} import - box:1"
    ))
    .ok();
    let run = shell(&format!(
        "{BERTH} run --name cc --network none --log-driver journald --log-opt tag=web --label 'a.b=x y' --log-opt \
         labels=a.b box:1 /bin/busybox sh -c 'echo hello; echo bad >&2; exit 3'"
    ));
    run.fails(3);
    let told = || {
        let found = shell("journalctl -o json CONTAINER_NAME=cc").stdout;
        let lines = found.lines().filter(|line| !line.is_empty());
        let lines: Vec<Value> = lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (lines.len() == 2).then_some(lines)
    };
    let lines = eventually("both are in the journal", told);
    for (line, message, priority) in [(&lines[0], "hello", "6"), (&lines[1], "bad", "3")] {
        for (field, value) in [
            ("MESSAGE", message),
            ("PRIORITY", priority),
            ("CONTAINER_TAG", "web"),
            ("SYSLOG_IDENTIFIER", "web"),
            ("IMAGE_NAME", "box:1"),
            ("A_B", "x y"),
            ("_TRANSPORT", "journal"),
        ] {
            assert_eq!(line[field], value, "{line:#}");
        }
    }
    assert!(shell(&format!("{BERTH} logs cc")).ok().contains("hello"));
    shell(&format!("{BERTH} rm cc")).ok();
}
