//! The daemon as its units start it: by its socket, ready when it says so, replaced while its containers run on; and what
//! runs again once the machine was switched off.

use testkit::eventually;
use testkit::harness::Test;

use super::shell;

pub const TESTS: &[Test] = testkit::tests![
    units_start_and_replace_the_daemon,
    reboot_1_is_a_power_cut,
    reboot_2_starts_what_a_policy_wants,
    reboot_3_a_clock_that_jumps_changes_nothing,
];

/// By the daemon, whoever starts that.
const REMOTE: &str = "berth --host unix:///run/berth.sock";

/// As `make install` does, and the image of these tests.
fn install() {
    shell(
        "set -e; modprobe overlay; getent group berth || groupadd berth
         install -D -t /usr/local/libexec/berth /share/bin/berth-runtime /share/bin/berth-monitor
         install -D -t /usr/local/bin /share/bin/berth
         for unit in berth.service berth.socket; do
             sed 's|@PREFIX@|/usr/local|g' /share/dist/$unit.in >/etc/systemd/system/$unit
         done
         systemctl daemon-reload
         tar -C / -ch bin/busybox | berth import - box:1",
    )
    .ok();
}

fn run(options: &str) {
    let line = format!("{REMOTE} run -d --network none {options} box:1 /bin/busybox sleep 1000");
    shell(&line).ok();
}

fn state(name: &str) -> String {
    let form = "{{.State.Status}} {{.State.Pid}}";
    shell(&format!("berth inspect -f '{form}' {name}"))
        .ok()
        .to_owned()
}

fn is_active(unit: &str) -> bool {
    shell(&format!("systemctl is-active --quiet {unit}"))
        .status
        .success()
}

fn units_start_and_replace_the_daemon() {
    install();
    shell("systemctl start berth.socket").ok();
    assert!(!is_active("berth.service"));
    run("--name cc");
    assert!(is_active("berth.service"));
    let before = state("cc");
    assert!(before.starts_with("running "), "{before}");
    // It is ready when the command ends: the service says so.
    shell("systemctl restart berth.service").ok();
    shell("systemctl reload berth.service").ok();
    assert!(is_active("berth.service"));
    assert_eq!(state("cc"), before);
    // Killed, it is started again; and a client finds the socket all the while.
    shell("systemctl kill --kill-who=main -s KILL berth.service").ok();
    shell(&format!("{REMOTE} ps -q --no-trunc")).ok();
    eventually("it is there again", || {
        is_active("berth.service").then_some(())
    });
    shell("systemctl stop berth.service").ok();
    assert_eq!(state("cc"), before);
    shell("systemctl stop berth.socket; berth rm -f cc").ok();
}

/// N15: probes and restarts go by a clock that nobody sets; what runs runs on.
fn reboot_3_a_clock_that_jumps_changes_nothing() {
    install();
    shell("systemctl start berth.socket").ok();
    run("--name checked --health-cmd true --health-interval 1s");
    let failing = "--name failing --network none --restart on-failure box:1 /bin/busybox false";
    shell(&format!("{REMOTE} run -d {failing}")).ok();
    let before = state("checked");
    let told = |name: &str, form: &str| {
        let done = shell(&format!("berth inspect -f '{form}' {name}"));
        done.ok().to_owned()
    };
    let probes = |year: &str| {
        let log = told("checked", "{{json .State.Health.Log}}");
        log.contains(&format!("\"Start\":\"{year}"))
    };
    for (year, restarts) in [("2031", 2), ("2024", 3)] {
        shell(&format!("date -s {year}-03-31T01:59:59Z")).ok();
        eventually("it is asked for its health", || probes(year).then_some(()));
        eventually("it is started again", || {
            let count = told("failing", "{{.RestartCount}}").parse::<u32>();
            (count.unwrap() >= restarts).then_some(())
        });
        assert_eq!(state("checked"), before);
        assert_eq!(told("checked", "{{.State.Health.Status}}"), "healthy");
    }
    shell("systemctl stop berth.socket berth.service; berth rm -f checked failing").ok();
}

fn reboot_1_is_a_power_cut() {
    install();
    shell("systemctl start berth.socket").ok();
    run("--name always --restart always");
    run("--name once");
    run("--name stopped --restart unless-stopped");
    shell("berth stop -t 0 stopped").ok();
    for name in ["always", "once"] {
        assert!(state(name).starts_with("running "));
    }
}

/// N22, short; the states of before the cut are known, and only what a policy wants runs.
fn reboot_2_starts_what_a_policy_wants() {
    shell("modprobe overlay; systemctl start berth.socket berth.service").ok();
    eventually("it runs again", || {
        state("always").starts_with("running ").then_some(())
    });
    for (name, code) in [("once", "137"), ("stopped", "137")] {
        assert_eq!(state(name), "exited 0", "{name}");
        let form = "{{.State.ExitCode}}";
        let told = shell(&format!("berth inspect -f '{form}' {name}"));
        assert_eq!(told.ok(), code, "{name}");
    }
    shell("berth fsck").ok();
    shell("systemctl stop berth.socket berth.service; berth rm -f always once stopped").ok();
}
