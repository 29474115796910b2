//! The whole on the real kernel, in network namespaces of threads of its own.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::Command;

use berth_model::config::Protocol;
use berth_net::network::{self, Desired, Look};
use berth_net::{
    Attach, Endpoint, Kernel, Namespace, Network, Published, Range, Way, cut, default_routes,
    mac_of, plug, plugged, unplug,
};
use berth_sys::process::{namespace, unshare};

fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{line}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// In a namespace of its own, which is then the host's.
fn in_a_host<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let run = || {
        unshare(namespace::NETWORK).unwrap();
        shell("ip link set lo up");
        act()
    };
    std::thread::spawn(run).join().unwrap()
}

fn network() -> Network {
    let subnet = "10.9.0.0/24".parse().unwrap();
    Network::new("berth0", "berth", vec![Range::of(subnet)])
}

fn ensure(kernel: &Kernel, network: &Network, published: &[Published]) -> usize {
    let desired = Desired { network, published };
    let observed = network::observe(kernel, network, Look::Whole).unwrap();
    let steps = network::plan(&desired, &observed).unwrap();
    network::apply(kernel, &desired, &steps).unwrap();
    let observed = network::observe(kernel, network, Look::Whole).unwrap();
    assert_eq!(
        network::plan(&desired, &observed).unwrap(),
        [],
        "{observed:?}"
    );
    steps.len()
}

fn published(host: [u8; 4], host_port: u16, port: u16) -> Published {
    Published {
        protocol: Protocol::Tcp,
        host: host.into(),
        host_port,
        address: [10, 9, 0, 2].into(),
        port,
    }
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    in_a_host(|| {
        let (kernel, network) = (Kernel::open().unwrap(), network());
        let mut list = vec![
            published([0; 4], 8080, 80),
            published([127, 0, 0, 1], 8081, 81),
        ];
        list.extend((0..1200).map(|n| published([0; 4], 10_000 + n, n)));
        assert!(ensure(&kernel, &network, &list) > 4);
        assert_eq!(ensure(&kernel, &network, &list), 0);
        for damage in [
            "nft flush ruleset",
            "nft flush chain bridge berth-berth0 prerouting",
            "nft flush chain inet berth forward",
            "ip rule del pref 100",
            "ip rule del pref 101",
            "ip rule del pref 102",
            "ip route flush table 48711",
            "nft flush map inet berth published",
            "nft add element inet berth published-at '{ tcp . 1.2.3.4 . 5 : 6.7.8.9 . 10 }'",
            "nft add rule inet berth forward drop",
            "ip link del berth0",
            "ip link set berth0 down",
            "ip addr flush dev berth0",
            "ip addr add 10.1.1.1/24 dev berth0",
            "echo 0 > /proc/sys/net/ipv4/ip_forward",
            "echo 1 > /proc/sys/net/ipv6/conf/berth0/accept_ra",
        ] {
            shell(damage);
            assert!(ensure(&kernel, &network, &list) > 0, "{damage}");
        }
        network::withdraw(&kernel, &network, &list[..2]).unwrap();
        network::withdraw(&kernel, &network, &list[..3]).unwrap();
        assert_eq!(ensure(&kernel, &network, &list[3..]), 0);
        network::publish(&kernel, &network, &list[..2]).unwrap();
        let moved = Published {
            address: [10, 9, 0, 9].into(),
            ..list[0]
        };
        network::publish(&kernel, &network, &[moved]).unwrap();
        list[0] = moved;
        list.remove(2);
        assert_eq!(ensure(&kernel, &network, &list), 0);
        println!(
            "{}",
            shell("nft list ruleset | grep -v tcp; ip addr show berth0")
        );
        network::remove(&kernel, &network).unwrap();
        network::remove(&kernel, &network).unwrap();
        assert_eq!(
            shell(
                "nft list ruleset; ip -o link show type bridge; ip rule | grep -v ^327 | grep -v ^0; ip route show table 48711 2>/dev/null || true"
            ),
            ""
        );
        shell("ip link add berth0 type veth peer name other");
        let observed = network::observe(&kernel, &network, Look::Quick).unwrap();
        let desired = Desired {
            network: &network,
            published: &[],
        };
        assert!(
            network::plan(&desired, &observed)
                .unwrap_err()
                .hint()
                .is_some()
        );
    });
}

#[test]
fn an_endpoint_reaches_the_gateway_and_goes() {
    in_a_host(|| {
        let (kernel, network) = (Kernel::open().unwrap(), network());
        ensure(&kernel, &network, &[]);
        let address = IpAddr::from([10, 9, 0, 2]);
        let mut namespaces = Vec::new();
        for device in ["bv0", "bv1"] {
            let endpoint = Endpoint {
                device: device.to_owned(),
                inside: "eth0".to_owned(),
                addresses: vec![(address, 24)],
                mac: Some(mac_of(address)),
                mtu: None,
            };
            let namespace = Namespace::begin().unwrap().wait().unwrap();
            plug(&kernel, Attach::Bridge(&network), &namespace, &endpoint).unwrap();
            default_routes(&namespace, &[Way::Gateway([10, 9, 0, 1].into())]).unwrap();
            let outside = TcpListener::bind("10.9.0.1:0").unwrap();
            let gateway = outside.local_addr().unwrap();
            let file = namespace.as_fd().try_clone_to_owned().unwrap();
            let (port, ports) = std::sync::mpsc::channel();
            let inside = std::thread::spawn(move || {
                rustix::thread::move_into_link_name_space(file.as_fd(), None).unwrap();
                let listener = TcpListener::bind("0.0.0.0:0").unwrap();
                port.send(listener.local_addr().unwrap().port()).unwrap();
                TcpStream::connect(gateway).unwrap();
                assert_eq!(
                    listener.accept().unwrap().1.ip(),
                    Ipv4Addr::new(10, 9, 0, 1)
                );
                shell("ip addr; ip route; ip -6 addr")
            });
            TcpStream::connect((address, ports.recv().unwrap())).unwrap();
            assert_eq!(outside.accept().unwrap().1.ip(), address);
            let seen = inside.join().unwrap();
            assert!(
                seen.contains("02:42:0a:09:00:02") && seen.contains("default via 10.9.0.1"),
                "{seen}"
            );
            // D20.
            assert!(!seen.contains("inet6"), "{seen}");
            assert_eq!(plugged(&kernel, &network).unwrap(), [device]);
            // The next one gets the same address while the first is still there.
            assert!(cut(&kernel, device).unwrap());
            namespaces.push(namespace);
        }
        assert!(unplug(&kernel, "bv0").unwrap());
        assert!(!unplug(&kernel, "bv0").unwrap());
        drop(namespaces);
        // The kernel does it.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while cut(&kernel, "bv1").unwrap() {
            assert!(std::time::Instant::now() < end, "the device stays");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    });
}
