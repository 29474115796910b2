//! Containers at a device of the host itself: macvlan and ipvlan.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::IpAddr;

use berth_model::ErrorKind;
use berth_net::{
    Attach, Endpoint, Error, Ipvlan, Kernel, Macvlan, Parent, Way, default_routes, has_device,
    make_parent, plug,
};
use testkit::network::{Server, ask};

mod world;
use world::{Container, World, hello};

fn endpoint(host: u8) -> Endpoint {
    Endpoint {
        device: String::new(),
        inside: "eth0".to_owned(),
        addresses: vec![
            ([10, 77, 0, host].into(), 24),
            (format!("fd00:77::{host:x}").parse().unwrap(), 64),
        ],
        mac: Some([2, 0x42, 10, 77, 0, host]),
        mtu: Some(1400),
    }
}

#[test]
fn macvlan_is_beside_the_host() {
    let world = World::new();
    let kernel = world.here(|| Kernel::open().unwrap());
    let [a, b, c, d] = [(); 4].map(|()| Container::new());
    for (container, host, mode) in [
        (&a, 10, Macvlan::Bridge),
        (&b, 11, Macvlan::Bridge),
        (&c, 12, Macvlan::Private),
        (&d, 13, Macvlan::Private),
    ] {
        let attach = Attach::Macvlan("cable", mode);
        plug(&kernel, attach, &container.namespace, &endpoint(host)).unwrap();
        let gateway: IpAddr = [10, 77, 0, 2].into();
        default_routes(&container.namespace, &[Way::Gateway(gateway)]).unwrap();
    }
    let from = world.hosts.neighbour();
    let _servers = [&a, &c].map(|one| Server::start(one.path(), "0.0.0.0:80", "hello"));
    let _six = Server::start(a.path(), "[::]:81", "hello");
    assert_eq!(ask(&from, "10.77.0.10:80"), hello("10.77.0.2"));
    assert_eq!(ask(&from, "[fd00:77::a]:81"), hello("fd00:77::2"));
    assert_eq!(ask(b.path(), "10.77.0.10:80"), hello("10.77.0.11"));
    assert_eq!(ask(&from, "10.77.0.12:80"), hello("10.77.0.2"));
    assert_eq!(ask(d.path(), "10.77.0.12:80"), None, "private");
    assert_eq!(
        ask(&world.hosts.host(), "10.77.0.10:80"),
        None,
        "as macvlan is"
    );
    let seen = a.shell("ip link show eth0; ip route");
    for part in ["02:42:0a:4d:00:0a", "mtu 1400", "default via 10.77.0.2"] {
        assert!(seen.contains(part), "{seen}");
    }
    let nowhere = Attach::Macvlan("nowhere", Macvlan::Bridge);
    let error = plug(&kernel, nowhere, &Container::new().namespace, &endpoint(14)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    make_parent(&kernel, "cable", Parent::Nowhere).unwrap();
    assert!(has_device(&kernel, "cable").unwrap());
    let error = make_parent(&kernel, "nowhere.7", Parent::Lan("nowhere", 7)).unwrap_err();
    assert!(matches!(error, Error::NoParent { .. }), "{error}");
}

fn by_itself(inside: &str) -> Way {
    Way::Device {
        inside: inside.to_owned(),
        ipv4: true,
    }
}

#[test]
fn a_way_out_is_replaced_by_another() {
    let world = World::new();
    let kernel = world.here(|| Kernel::open().unwrap());
    let a = Container::new();
    let attach = Attach::Macvlan("cable", Macvlan::Bridge);
    plug(&kernel, attach, &a.namespace, &endpoint(10)).unwrap();
    let gateway = Way::Gateway([10, 77, 0, 1].into());
    for (ways, seen) in [
        (vec![by_itself("eth0")], "default dev eth0 scope link"),
        (vec![gateway], "default via 10.77.0.1 dev eth0"),
        (vec![by_itself("eth0")], "default dev eth0 scope link"),
        (vec![], ""),
    ] {
        default_routes(&a.namespace, &ways).unwrap();
        assert_eq!(a.shell("ip route show default").trim(), seen);
    }
}

/// Where the kernel has it; elsewhere it says so.
#[test]
fn ipvlan_shares_the_hardware_address() {
    let world = World::new();
    let kernel = world.here(|| Kernel::open().unwrap());
    let [a, b] = [(); 2].map(|()| Container::new());
    let attach = |mode| Attach::Ipvlan("cable", mode);
    match plug(&kernel, attach(Ipvlan::L2), &a.namespace, &endpoint(10)) {
        Err(error @ Error::NoKind { .. }) => {
            assert!(error.hint().unwrap().contains("CONFIG_IPVLAN"));
            return;
        }
        made => made.unwrap(),
    }
    plug(&kernel, attach(Ipvlan::L2), &b.namespace, &endpoint(11)).unwrap();
    default_routes(&b.namespace, &[by_itself("eth0")]).unwrap();
    let _server = Server::start(a.path(), "0.0.0.0:80", "hello");
    assert_eq!(
        ask(&world.hosts.neighbour(), "10.77.0.10:80"),
        hello("10.77.0.2")
    );
    assert_eq!(ask(b.path(), "10.77.0.10:80"), hello("10.77.0.11"));
    assert!(b.shell("ip route").contains("default dev eth0"));
}
