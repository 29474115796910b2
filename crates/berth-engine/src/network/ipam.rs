//! Which addresses a network gets: what is asked for, and what others use, → its subnets. Pure.

use std::net::IpAddr;

use berth_net::{Subnet, free_subnet};

use super::record::{AddressConfig, Range};
use crate::Error;
use crate::create::invalid;

/// Where it is chosen from.
pub(super) struct Taken<'a> {
    /// Of other networks of ours, with those that do not run.
    pub(super) ours: &'a [Subnet],
    /// Of the host: addresses, routes, name servers.
    pub(super) hosts: &'a [Subnet],
}

/// Which families a network has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Families {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
}

impl Families {
    /// How a subnet's family is called, and whether the network has it.
    fn of(self, subnet: Subnet) -> (&'static str, bool) {
        match subnet.is_ipv4() {
            true => ("IPv4", self.ipv4),
            false => ("IPv6", self.ipv6),
        }
    }
}

/// The subnets, IPv4 first, and what inspect tells of them.
///
/// # Errors
/// [`Error::Invalid`] in Docker's words; [`Error::Network`]: all subnets are in use.
pub(super) fn ranges(
    asked: &[AddressConfig],
    families: Families,
    id: &str,
    taken: &Taken<'_>,
) -> Result<(Vec<Range>, Vec<AddressConfig>), Error> {
    if !families.ipv4 && !families.ipv6 {
        return Err(invalid("IPv4 or IPv6 must be enabled".to_owned()));
    }
    let mut ranges = Vec::new();
    let mut told = Vec::new();
    for one in asked {
        let range = chosen(one)?;
        let meets = |other: &Subnet| other.overlaps(range.subnet);
        if ranges.iter().any(|other: &Range| meets(&other.subnet)) {
            return Err(invalid(
                "multiple overlapping subnet configuration is not supported".to_owned(),
            ));
        }
        if taken.ours.iter().any(meets) {
            return Err(Error::Invalid {
                message: "Pool overlaps with other one on this address space".to_owned(),
                hint: Some(format!(
                    "`berth network inspect` shows which network has a part of {}",
                    range.subnet
                )),
            });
        }
        let (family, has) = families.of(range.subnet);
        if !has {
            let option = family.to_lowercase();
            return Err(Error::Invalid {
                message: format!(
                    "{} is a subnet of {family}, and the network has none",
                    one.subnet
                ),
                hint: Some(format!("`--{option}` gives it to the network")),
            });
        }
        ranges.push(range);
        told.push(one.clone());
    }
    if families.ipv4 && !ranges.iter().any(|range| range.subnet.is_ipv4()) {
        let found = free_subnet(&[taken.ours, taken.hosts].concat()).ok_or(Error::Network {
            action: "choose a subnet for the network",
            source: berth_net::Error::NoSubnet,
        })?;
        add(found, &mut ranges, &mut told);
    }
    if families.ipv6 && ranges.iter().all(|range| range.subnet.is_ipv4()) {
        add(of_its_own(id), &mut ranges, &mut told);
    }
    ranges.sort_by_key(|range| !range.subnet.is_ipv4());
    told.sort_by_key(|one| one.subnet.contains(':'));
    Ok((ranges, told))
}

/// Whether such addresses can be at all.
pub(super) fn check(asked: &[AddressConfig]) -> Result<(), Error> {
    asked.iter().try_for_each(|one| chosen(one).map(drop))
}

fn add(subnet: Subnet, ranges: &mut Vec<Range>, told: &mut Vec<AddressConfig>) {
    let gateway = subnet.gateway();
    told.push(AddressConfig {
        subnet: subnet.to_string(),
        gateway: gateway.to_string(),
        ..AddressConfig::default()
    });
    ranges.push(Range {
        subnet,
        gateway,
        range: None,
        reserved: Vec::new(),
        chosen: false,
    });
}

/// A unique local subnet: the network's id is as random as one has to be.
///
/// Source: RFC 4193.
fn of_its_own(id: &str) -> Subnet {
    let digits: u64 = u64::from_str_radix(&id[..14], 16).unwrap_or(1);
    let first = (0xfd << 120) | (u128::from(digits) << 64);
    Subnet::of(IpAddr::V6(first.into()), 64).unwrap_or_else(|| unreachable!("64 is a prefix"))
}

fn chosen(asked: &AddressConfig) -> Result<Range, Error> {
    let subnet = subnet(&asked.subnet)?;
    if !subnet.is_usable() {
        return Err(invalid(format!(
            "invalid subnet {}: it has no room for containers",
            asked.subnet
        )));
    }
    let inside = |what: &str, text: &str| -> Result<IpAddr, Error> {
        let address: IpAddr = text
            .parse()
            .map_err(|_| invalid(format!("invalid {what} address: {text}")))?;
        match subnet.contains(address) {
            true => Ok(address),
            false => Err(invalid(format!("no matching subnet for {what} {text}"))),
        }
    };
    let gateway = match asked.gateway.as_str() {
        "" => subnet.gateway(),
        text => inside("gateway", text)?,
    };
    let range = match asked.range.as_str() {
        "" => None,
        text => {
            let range = self::subnet(text)?;
            if range.prefix() < subnet.prefix() || !subnet.contains(range.address()) {
                return Err(invalid(format!("no matching subnet for range {text}")));
            }
            Some(range)
        }
    };
    let others = asked.auxiliary.values();
    Ok(Range {
        subnet,
        gateway,
        range,
        reserved: others
            .map(|text| inside("aux-address", text))
            .collect::<Result<_, _>>()?,
        chosen: true,
    })
}

/// As Docker takes it: bits of a host do not matter.
fn subnet(text: &str) -> Result<Subnet, Error> {
    let parsed = text.split_once('/').and_then(|(address, prefix)| {
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| digits)?;
        Subnet::of(address.parse().ok()?, prefix)
    });
    parsed.ok_or_else(|| {
        invalid(format!(
            "invalid subnet {text} : invalid CIDR address: {text}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(subnet: &str) -> AddressConfig {
        AddressConfig {
            subnet: subnet.to_owned(),
            ..AddressConfig::default()
        }
    }

    fn given(asked: &[AddressConfig], ipv6: bool, ours: &[&str]) -> Result<Vec<String>, String> {
        let families = Families { ipv4: true, ipv6 };
        given_with(asked, families, ours)
    }

    fn given_with(
        asked: &[AddressConfig],
        families: Families,
        ours: &[&str],
    ) -> Result<Vec<String>, String> {
        let ours: Vec<Subnet> = ours.iter().map(|text| text.parse().unwrap()).collect();
        let hosts = [
            "0.0.0.0/0".parse().unwrap(),
            "172.18.0.0/24".parse().unwrap(),
        ];
        let taken = Taken {
            ours: &ours,
            hosts: &hosts,
        };
        let id = "0123456789abcdef".repeat(4);
        let found = ranges(asked, families, &id, &taken).map_err(|error| error.to_string())?;
        let shown = |range: &Range| format!("{} {}", range.subnet, range.gateway);
        Ok(found.0.iter().map(shown).collect())
    }

    #[test]
    fn subnets_that_nobody_uses() {
        for (ours, expected) in [
            (&[][..], "172.17.0.0/16 172.17.0.1"),
            (&["172.17.0.0/16"], "172.19.0.0/16 172.19.0.1"),
            (&["172.16.0.0/12"], "192.168.0.0/20 192.168.0.1"),
        ] {
            assert_eq!(given(&[], false, ours).unwrap(), [expected]);
        }
        assert!(given(&[], false, &["172.16.0.0/12", "192.168.0.0/16"]).is_err());
        let both = given(&[asked("fd00:1::/64")], true, &[]).unwrap();
        assert_eq!(both, ["172.17.0.0/16 172.17.0.1", "fd00:1::/64 fd00:1::1"]);
        let own = given(&[asked("10.9.0.7/24")], true, &[]).unwrap();
        assert_eq!(own[0], "10.9.0.0/24 10.9.0.1");
        assert_eq!(own[1], "fd01:2345:6789:abcd::/64 fd01:2345:6789:abcd::1");
    }

    #[test]
    fn a_network_without_ipv4() {
        let of = |asked: &[AddressConfig], ipv6| {
            let ipv4 = false;
            given_with(asked, Families { ipv4, ipv6 }, &[])
        };
        let own = "fd01:2345:6789:abcd::/64 fd01:2345:6789:abcd::1";
        assert_eq!(of(&[], true).unwrap(), [own]);
        let asked_for = of(&[asked("fd00:1::/64")], true).unwrap();
        assert_eq!(asked_for, ["fd00:1::/64 fd00:1::1"]);
        let four = of(&[asked("10.9.0.0/24")], true).unwrap_err();
        assert!(four.contains("is a subnet of IPv4"), "{four}");
        assert_eq!(of(&[], false).unwrap_err(), "IPv4 or IPv6 must be enabled");
    }

    #[test]
    fn what_cannot_be_is_said_in_dockers_words() {
        let with = |change: &dyn Fn(&mut AddressConfig)| {
            let mut one = asked("10.9.0.0/24");
            change(&mut one);
            given(&[one], false, &["10.8.0.0/16"]).unwrap_err()
        };
        for (error, expected) in [
            (
                with(&|one| one.subnet = "x".into()),
                "invalid CIDR address: x",
            ),
            (
                with(&|one| one.subnet = String::new()),
                "invalid CIDR address: ",
            ),
            (
                with(&|one| one.subnet = "10.8.1.0/24".into()),
                "Pool overlaps",
            ),
            (
                with(&|one| one.subnet = "fd00::/64".into()),
                "is a subnet of IPv6",
            ),
            (with(&|one| one.subnet = "10.9.0.0/31".into()), "no room"),
            (
                with(&|one| one.gateway = "10.1.0.1".into()),
                "no matching subnet for gateway 10.1.0.1",
            ),
            (
                with(&|one| one.gateway = "a".into()),
                "invalid gateway address",
            ),
            (
                with(&|one| one.range = "10.1.0.0/25".into()),
                "no matching subnet for range 10.1.0.0/25",
            ),
            (
                with(&|one| one.range = "10.9.0.0/16".into()),
                "no matching subnet for range",
            ),
            (
                with(&|one| drop(one.auxiliary.insert("a".into(), "10.1.0.1".into()))),
                "no matching subnet for aux-address 10.1.0.1",
            ),
        ] {
            assert!(error.contains(expected), "{error}: {expected}");
        }
        let twice = given(&[asked("10.9.0.0/24"), asked("10.9.0.0/25")], false, &[]);
        assert!(twice.unwrap_err().contains("overlapping"));
    }
}
