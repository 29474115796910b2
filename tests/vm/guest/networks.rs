//! Networks of which the host's kernel may lack a part: ipvlan, virtual LANs, devices that lead nowhere, SCTP. A neighbour
//! is a network namespace at the other end of the device `cable`.

use testkit::eventually;
use testkit::harness::Test;

use super::shell;

pub const TESTS: &[Test] = testkit::tests![
    network_ipvlan_switches_and_routes,
    network_makes_a_virtual_lan_and_removes_it,
    network_over_nothing_is_among_its_containers,
    network_publishes_sctp_and_keeps_the_clients_address,
];

const BERTH: &str = "/share/bin/berth --root /var/tmp/berth-n --run-dir /run/berth-n";

/// The cable, and the image: busybox and socat with its libraries. Dropped: what a test has made is gone.
struct World;

impl World {
    fn new() -> World {
        shell(
            "set -e; modprobe overlay; ip link set lo up
             ip netns add peer; ip link add cable type veth peer name cable netns peer
             ip addr add 10.77.0.1/24 dev cable; ip link set cable up
             ip -n peer addr add 10.77.0.2/24 dev cable; ip -n peer link set cable up",
        )
        .ok();
        let libraries = "ldd /usr/bin/socat | grep -o '/[^ ]*'";
        let pack = format!("tar -C / -ch bin/busybox usr/bin/socat $({libraries})");
        shell(&format!(
            "{BERTH} image inspect box:1 >/dev/null 2>&1 || {pack} | {BERTH} import - box:1"
        ))
        .ok();
        World
    }
}

impl Drop for World {
    fn drop(&mut self) {
        shell(&format!(
            "all=$({BERTH} ps -aq); [ -z \"$all\" ] || {BERTH} rm -f $all; {BERTH} network prune -f; ip netns del peer"
        ));
        eventually("the cable is gone", || (!there("cable")).then_some(()));
    }
}

#[track_caller]
fn berth(words: &str) -> String {
    shell(&format!("{BERTH} {words}")).ok().to_owned()
}

/// A container that serves its name by HTTP.
fn serve(name: &str, options: &str) {
    let serve = format!("mkdir /www; echo {name} >/www/index.html; exec httpd -f -p 80 -h /www");
    let serve = format!("/bin/busybox sh -c '/bin/busybox --install /bin; {serve}'");
    berth(&format!("run -d --name {name} {options} box:1 {serve}"));
}

fn idle(name: &str, options: &str) {
    berth(&format!(
        "run -d --name {name} {options} box:1 /bin/busybox sleep 1000"
    ));
}

/// What a command of busybox's says in a container; `None`: it fails.
fn inside(name: &str, line: &str) -> Option<String> {
    let ran = shell(&format!("{BERTH} exec {name} /bin/busybox {line}"));
    ran.status.success().then(|| ran.ok().to_owned())
}

/// A container reaches another that has begun to serve.
fn reaches(name: &str, other: &str, word: &str) {
    let ask = format!("timeout 5 wget -qO- http://{other}/");
    eventually("it is reached", || {
        (inside(name, &ask)? == word).then_some(())
    });
}

/// The same at the neighbour's.
fn beside(line: &str) -> Option<String> {
    let ran = shell(&format!("ip netns exec peer timeout 5 {line}"));
    ran.status.success().then(|| ran.ok().to_owned())
}

fn says(address: &str) -> Option<String> {
    beside(&format!("busybox wget -qO- http://{address}/"))
}

fn said(word: &str) -> Option<String> {
    Some(word.to_owned())
}

fn there(device: &str) -> bool {
    shell(&format!("ip link show {device}")).status.success()
}

fn address(name: &str) -> String {
    let form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    berth(&format!("inspect -f '{form}' {name}"))
}

fn network_ipvlan_switches_and_routes() {
    let _world = World::new();
    berth(
        "network create -d ipvlan -o parent=cable --subnet 10.77.0.0/24 --ip-range 10.77.0.128/25 l2",
    );
    serve("aa", "--network l2 --network-alias web --ip 10.77.0.9");
    idle("bb", "--network l2");
    reaches("bb", "web", "aa");
    assert_eq!(says("10.77.0.9"), said("aa"));
    let mac = |line: &str| {
        shell(&format!("{line} | grep -o 'ether [0-9a-f:]*'"))
            .ok()
            .to_owned()
    };
    let own = mac(&format!("{BERTH} exec aa /bin/busybox ip link show eth0"));
    assert_eq!(own, mac("ip link show cable"), "the device's below");
    berth("rm -f aa bb");
    berth("network rm l2");

    berth(
        "network create -d ipvlan -o parent=cable -o ipvlan_mode=l3 --subnet 10.78.0.0/24 --subnet 10.79.0.0/24 l3",
    );
    serve("aa", "--network l3 --ip 10.78.0.10");
    idle("bb", "--network l3 --ip 10.79.0.10");
    // One subnet to the other, without a router.
    reaches("bb", "aa", "aa");
    let routes = inside("aa", "ip route").unwrap();
    assert!(routes.contains("default dev eth0"), "{routes}");
    assert_eq!(says("10.78.0.10"), None, "nobody has told it the way");
    beside("ip route add 10.78.0.0/24 via 10.77.0.1").unwrap();
    assert_eq!(says("10.78.0.10"), said("aa"));
}

fn network_makes_a_virtual_lan_and_removes_it() {
    let _world = World::new();
    for (driver, lan) in [("macvlan", 10), ("ipvlan", 11)] {
        let device = format!("cable.{lan}");
        let create = |name: &str, subnet: &str| {
            berth(&format!(
                "network create -d {driver} -o parent={device} --subnet {subnet} {name}"
            ))
        };
        assert!(!there(&device));
        create("one", "10.80.0.0/24");
        let shown = shell(&format!("ip -d link show {device}"));
        assert!(shown.ok().contains(&format!("802.1Q id {lan} ")), "{shown}");
        let peer = format!(
            "sh -ec 'ip link add link cable name {device} type vlan id {lan}; ip link set {device} up
             ip addr add 10.80.0.2/24 dev {device}'"
        );
        beside(&peer).unwrap();
        serve("aa", "--network one --ip 10.80.0.10");
        idle("bb", "--network one --ip 10.80.0.11");
        reaches("bb", "aa", "aa");
        assert_eq!(says("10.80.0.10"), said("aa"));
        beside(&format!("ip link del {device}")).unwrap();
        beside("ip addr add 10.80.0.2/24 dev cable").unwrap();
        assert_eq!(says("10.80.0.10"), None, "without the tag");
        beside("ip addr del 10.80.0.2/24 dev cable").unwrap();

        // Removed by hand, it is there again with the next container.
        berth("rm -f aa bb; ip link del cable.10; ip link del cable.11; true");
        assert!(!there(&device));
        berth("run --rm --network one box:1 /bin/busybox true");
        assert!(there(&device));
        create("two", "10.81.0.0/24");
        berth("network rm one");
        assert!(there(&device), "of another network, too");
        berth("network rm two");
        assert!(!there(&device));
    }
    // One that somebody else has made stays.
    shell("ip link add link cable name cable.12 type vlan id 12").ok();
    berth("network create -d macvlan -o parent=cable.12 three");
    berth("network rm three");
    assert!(there("cable.12"));
    for (parent, text) in [
        (
            "cable.4095",
            "vlan id must be between 1-4094, received: 4095",
        ),
        ("nosuch.7", "the host has no network device `nosuch`"),
        ("nosuch", "invalid subinterface vlan name nosuch"),
    ] {
        let refused = shell(&format!(
            "{BERTH} network create -d macvlan -o parent={parent} four"
        ));
        assert!(!refused.status.success(), "{refused}");
        assert!(refused.stderr.contains(text), "{refused}");
    }
}

fn network_over_nothing_is_among_its_containers() {
    let _world = World::new();
    for (driver, options) in [("macvlan", ""), ("ipvlan", "--internal -o parent=cable")] {
        let id = berth(&format!("network create -d {driver} {options} alone"));
        let device = format!("dm-{}", &id[..12]);
        assert!(there(&device));
        serve("aa", "--network alone");
        idle("bb", "--network alone");
        reaches("bb", "aa", "aa");
        let routes = inside("aa", "ip route").unwrap();
        assert!(!routes.contains("default"), "{routes}");
        berth("rm -f aa bb");
        berth("network rm alone");
        assert!(!there(&device));
    }
}

/// With the address of who asks, whatever that is.
fn network_publishes_sctp_and_keeps_the_clients_address() {
    let _world = World::new();
    berth("network create lan");
    let listen = "SCTP-LISTEN:7777,fork EXEC:'/bin/busybox env'";
    let publish = "-p 9999:7777/sctp -p 127.0.0.1:9998:7777/sctp";
    berth(&format!(
        "run -d --name aa --network lan {publish} box:1 /usr/bin/socat {listen}"
    ));
    let ports = berth("port aa");
    assert!(ports.contains("7777/sctp -> 0.0.0.0:9999"), "{ports}");
    let peer = |text: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix("SOCAT_PEERADDR=").map(str::to_owned))
    };
    let from_beside = |port: u16| peer(&beside(&format!("socat -u SCTP:10.77.0.1:{port} -"))?);
    eventually("it is reached", || {
        (from_beside(9999) == said("10.77.0.2")).then_some(())
    });
    assert_eq!(from_beside(9998), None, "published at the loopback");
    let own = shell("timeout 5 socat -u SCTP:127.0.0.1:9998 -");
    assert!(peer(own.ok()).is_some(), "{own}");

    // Another container, by its name.
    let asked = berth("run --rm --name bb --network lan box:1 /usr/bin/socat -u SCTP:aa:7777 -");
    let (aa, bb) = (address("aa"), peer(&asked).unwrap());
    assert_ne!(aa, bb);
    let [aa, bb] = [aa, bb].map(|address| address.rsplit_once('.').unwrap().0.to_owned());
    assert_eq!(aa, bb, "with an address of that network");

    // The port is had once, and obeys the host's firewall.
    let again = shell(&format!(
        "{BERTH} run --rm -p 9999:1/sctp box:1 /bin/busybox true"
    ));
    again.fails(125);
    assert!(
        again.stderr.contains("port is already allocated"),
        "{again}"
    );
    let rule = "INPUT -p sctp --dport 9999 -j DROP";
    shell(&format!("iptables -A {rule}")).ok();
    eventually("it is closed", || from_beside(9999).is_none().then_some(()));
    shell(&format!("iptables -D {rule}")).ok();
    eventually("it is open again", || from_beside(9999).map(drop));
    berth("rm -f aa");
    assert_eq!(from_beside(9999), None);
}
