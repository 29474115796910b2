//! The plan, as a table: what is there → the steps.

use super::*;

fn network() -> Network {
    let subnet = "10.9.0.0/24".parse().unwrap();
    Network::new("berth0", "berth", vec![Range::of(subnet)])
}

fn published(host_port: u16) -> Published {
    Published {
        protocol: berth_model::config::Protocol::Tcp,
        host: [0; 4].into(),
        host_port,
        address: [10, 9, 0, 2].into(),
        port: 80,
    }
}

/// All as it should be, with these ports.
fn whole(network: &Network, ports: &[u16]) -> Observed {
    Observed {
        device: Some(Link {
            index: 7,
            up: true,
            kind: "bridge".to_owned(),
            mtu: 1500,
        }),
        addresses: network.gateways(),
        settings: Vec::new(),
        apart: true,
        walls: wall::wanted(network),
        rules: table::expected(network),
        published: Some(ports.iter().copied().map(published).collect()),
    }
}

#[test]
fn only_what_differs_is_done() {
    let network = network();
    let other = IpAddr::from([10, 1, 1, 1]);
    let add = Step::AddAddress([10, 9, 0, 1].into(), 24);
    let forwarding = settings(&network).pop().unwrap();
    type Damage<'a> = &'a dyn Fn(&mut Observed);
    let cases: [(&str, Damage<'_>, Vec<Step>); 11] = [
        ("nothing", &|_| {}, vec![]),
        (
            "a rule too many",
            &|seen| seen.rules.push(seen.rules[0].clone()),
            vec![Step::Rules],
        ),
        (
            "rules in another order",
            &|seen| seen.rules.swap(0, 1),
            vec![Step::Rules],
        ),
        (
            "down",
            &|seen| seen.device.as_mut().unwrap().up = false,
            vec![Step::Up],
        ),
        (
            "no address",
            &|seen| seen.addresses.clear(),
            vec![add.clone()],
        ),
        (
            "another address",
            &|seen| seen.addresses = vec![(other, 24)],
            vec![Step::RemoveAddress(other, 24), add.clone()],
        ),
        (
            "a setting",
            &|seen| seen.settings.push(forwarding.clone()),
            vec![Step::Set(forwarding.clone())],
        ),
        (
            "ports",
            &|seen| seen.published = Some([published(8080), published(9)].into()),
            vec![
                Step::Withdraw(vec![published(9)]),
                Step::Publish(vec![published(8081)]),
            ],
        ),
        (
            "a part of the wall",
            &|seen| drop(seen.walls.pop_last()),
            vec![Step::Wall(Piece::Look(true))],
        ),
        (
            "ports that nobody looked at",
            &|seen| seen.published = None,
            vec![],
        ),
        (
            "everything",
            &|seen| *seen = Observed::default(),
            [
                vec![Step::Rules, Step::Apart, Step::Bridge],
                wall::wanted(&network).into_iter().map(Step::Wall).collect(),
                vec![add.clone(), Step::Up],
            ]
            .concat(),
        ),
    ];
    let wanted = [published(8080), published(8081)];
    let desired = Desired {
        network: &network,
        published: &wanted,
    };
    for (what, damage, expected) in cases {
        let mut seen = whole(&network, &[8080, 8081]);
        damage(&mut seen);
        assert_eq!(plan(&desired, &seen).unwrap(), expected, "{what}");
    }
}

#[test]
fn another_device_of_the_name_is_left_alone() {
    let network = network();
    let mut seen = whole(&network, &[]);
    seen.device.as_mut().unwrap().kind = "veth".to_owned();
    let desired = Desired {
        network: &network,
        published: &[],
    };
    assert!(matches!(
        plan(&desired, &seen),
        Err(Error::NotABridge { .. })
    ));
}
