//! An ordinary user's network. The host is a namespace of the test's own, with a neighbour that it reaches by a cable, and a
//! device node that users may open, or not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use testkit::network::{Hosts, Server, ask, inside};
use testkit::{Sandbox, eventually};

const HOST: &str = "10.78.0.1";
const NEIGHBOUR: &str = "10.78.0.2";

fn hosts() -> Hosts {
    let hosts = Hosts::make(HOST, NEIGHBOUR);
    let line = format!("ip route add default via {NEIGHBOUR}");
    hosts.shell(&hosts.host(), &line).ok();
    hosts
}

fn sandbox(hosts: &Hosts, mode: &str) -> Sandbox {
    let s = Sandbox::rootless()
        .in_namespace(hosts.host())
        .with_tun(mode);
    s.with_busybox()
}

/// At port 80 of a container: it answers whoever has spoken with a word and the client's address.
fn serve(namespace: &Path) {
    let listener = inside(namespace, || TcpListener::bind("0.0.0.0:80")).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, peer)) = listener.accept() {
            let _ = stream.read_exact(&mut [0; 2]);
            let _ = write!(stream, "hello {}", peer.ip());
        }
    });
}

/// Speaks first: pasta of Debian 12 tells a server of a client only then.
fn speak(namespace: &Path, address: &str) -> Option<String> {
    let address: SocketAddr = address.parse().unwrap();
    inside(namespace, || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(b"hi").ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        Some(said)
    })
}

/// Those of this sandbox.
fn pastas(s: &Sandbox) -> usize {
    let line = format!(
        "grep -lzs '^{}.*pasta.pid$' /proc/[0-9]*/cmdline | wc -l",
        s.run_dir().display()
    );
    s.shell_as_root(&line).ok().parse().unwrap()
}

/// D38.
#[test]
fn d38_ports_lead_to_it_and_clients_keep_their_addresses() {
    let hosts = hosts();
    let s = sandbox(&hosts, "666");
    // By default: it can be had.
    let line = [
        "run",
        "-d",
        "--name",
        "web",
        "-p",
        "8082:80",
        "-p",
        "127.0.0.1:8083:80",
        "busybox",
        "sleep",
        "1000",
    ];
    s.berth(&line).ok();
    let web = s.namespace("web");
    serve(&web);
    let outside = Server::start(&hosts.neighbour(), &format!("{NEIGHBOUR}:0"), "world");
    let own = Server::start(&hosts.host(), "127.0.0.1:0", "host");
    let there = |port: u16| format!("{HOST}:{port}");
    let (neighbour, host) = (hosts.neighbour(), hosts.host());
    let said = speak(&neighbour, &there(8082));
    assert_eq!(said, Some(format!("hello {NEIGHBOUR}")));
    assert_eq!(speak(&neighbour, &there(8083)), None);
    for port in [8082, 8083] {
        let said = speak(&host, &format!("127.0.0.1:{port}"));
        assert!(
            said.is_some_and(|said| said.starts_with("hello ")),
            "{port}"
        );
    }
    let world = format!("{NEIGHBOUR}:{}", outside.port());
    assert_eq!(ask(&web, &world), Some(format!("world {HOST}")));
    // What listens on the host's loopback is the host's.
    for address in ["127.0.0.1", NEIGHBOUR, HOST] {
        assert_eq!(
            ask(&web, &format!("{address}:{}", own.port())),
            None,
            "{address}"
        );
    }
    let ports = s.berth(&["port", "web"]).ok().to_owned();
    assert_eq!(ports, "80/tcp -> 0.0.0.0:8082\n80/tcp -> 127.0.0.1:8083");
    assert_eq!(pastas(&s), 1);
    s.berth(&["restart", "-t", "0", "web"]).ok();
    assert_eq!(pastas(&s), 1);
    s.berth(&["kill", "web"]).ok();
    eventually("it goes with its container", || {
        (pastas(&s) == 0).then_some(())
    });
    // Its ports are free again.
    s.berth(&["start", "web"]).ok();
    s.berth(&["rm", "-f", "web"]).ok();
    assert_eq!(pastas(&s), 0);
}

#[test]
fn one_that_fails_or_loses_its_container_does_not_linger() {
    let hosts = hosts();
    let s = sandbox(&hosts, "666");
    hosts
        .shell(
            &hosts.host(),
            "ip route del default && ip link set cable down",
        )
        .ok();
    let done = s.berth(&["run", "--rm", "--network", "pasta", "busybox", "true"]);
    assert!(done.fails(125).contains("pasta"), "{done}");
    assert_eq!(pastas(&s), 0);
    let line = format!("ip link set cable up && ip route add default via {NEIGHBOUR}");
    hosts.shell(&hosts.host(), &line).ok();
    let used = Server::start(&hosts.host(), "0.0.0.0:0", "used");
    let port = format!("{}:80", used.port());
    let done = s.berth(&["run", "--rm", "-p", &port, "busybox", "true"]);
    assert!(done.fails(125).contains("already"), "{done}");
    assert_eq!(pastas(&s), 0);
    // Monitor and container are killed, and nobody is there to clean up.
    let id = s
        .berth(&["run", "-d", "busybox", "sleep", "1000"])
        .ok()
        .to_owned();
    assert_eq!(pastas(&s), 1);
    let pid = s
        .berth(&["inspect", "-f", "{{.State.Pid}}", &id])
        .ok()
        .to_owned();
    let monitor = s.monitor(&id);
    s.shell_as_root(&format!("kill -9 {monitor} {pid}")).ok();
    let lives = || Path::new(&format!("/proc/{monitor}/exe")).exists();
    eventually("it ends", || (!lives()).then_some(()));
    eventually("it is found and ended", || {
        s.berth(&["fsck", "--repair"]);
        (pastas(&s) == 0).then_some(())
    });
}

#[test]
fn a_device_that_cannot_be_opened_is_explained() {
    let hosts = hosts();
    let s = sandbox(&hosts, "600");
    let done = s.berth(&["run", "--rm", "--network", "pasta", "busybox", "true"]);
    assert!(
        done.fails(125).contains("chmod 0666 /dev/net/tun"),
        "{done}"
    );
    // Who asks for no network gets none, as before.
    let done = s.berth(&["run", "--rm", "busybox", "ls", "/sys/class/net"]);
    assert_eq!(done.ok(), "lo");
    let root = Sandbox::root().with_busybox();
    let done = root.berth(&["run", "--rm", "--network", "pasta", "busybox", "true"]);
    assert!(done.fails(125).contains("--network bridge"), "{done}");
}
