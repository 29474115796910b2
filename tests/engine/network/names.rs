//! `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`.

use super::*;

both! {
    fn host_resolves_names_as_the_host_does(s) {
        let done = s.berth(&["run", "--rm", "--network", "host", "busybox", "cat", "/etc/resolv.conf"]);
        assert_eq!(done.stdout, fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    }
}

#[test]
fn what_was_asked_for_is_written() {
    let s = Sandbox::root().with_busybox();
    let options = [
        "-h",
        "foo",
        "--domainname",
        "x.org",
        "--add-host",
        "a:1.2.3.4",
        "--add-host",
        "gw:host-gateway",
        "--dns",
        "9.9.9.9",
        "--dns-search",
        "ex.org",
        "--dns-option",
        "ndots:2",
    ];
    let script = "tail -n 3 /etc/hosts; cat /etc/resolv.conf /etc/hostname";
    let line = [
        &["run", "--rm"][..],
        &options,
        &["busybox", "sh", "-c", script],
    ]
    .concat();
    let mine = s.subnet().replace(".0/24", ".2");
    let expected = format!(
        "1.2.3.4\ta\n{}\tgw\n{mine}\tfoo.x.org foo\nsearch ex.org\nnameserver 9.9.9.9\noptions ndots:2\nfoo",
        gateway(&s)
    );
    assert_eq!(s.berth(&line).ok(), expected);
}

#[test]
fn a_hardware_address_of_ones_own() {
    let s = Sandbox::root().with_busybox();
    let run = |mac: &str| {
        s.berth(&[
            "run",
            "--rm",
            "--mac-address",
            mac,
            "busybox",
            "cat",
            "/sys/class/net/eth0/address",
        ])
    };
    assert_eq!(run("02:42:ac:11:00:99").ok(), "02:42:ac:11:00:99");
    assert!(run("zz").fails(125).contains("zz"));
}
