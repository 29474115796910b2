//! `--subnet`, `--ip-range`, `--gateway` and `--aux-address` of a network, each of which may come several times: what
//! belongs together.
//!
//! Source: docker/cli, `consolidateIpam`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_engine::network::{AddressConfig, Subnet};

use super::Parsed;

/// One description a subnet, in their order.
pub fn together(
    subnets: &[String],
    ranges: &[String],
    gateways: &[String],
    others: &BTreeMap<String, String>,
) -> Parsed<Vec<AddressConfig>> {
    if subnets.len() < ranges.len() || subnets.len() < gateways.len() {
        return Err("every ip-range or gateway must have a corresponding subnet".to_owned());
    }
    let mut all: Vec<(Option<Subnet>, AddressConfig)> = Vec::new();
    for text in subnets {
        let subnet = subnet(text);
        let meets = |other: &Option<Subnet>| other.zip(subnet).is_some_and(|(a, b)| a.overlaps(b));
        if all.iter().any(|(other, _)| meets(other)) {
            return Err("multiple overlapping subnet configuration is not supported".to_owned());
        }
        let config = AddressConfig {
            subnet: text.clone(),
            ..AddressConfig::default()
        };
        // What is no subnet is told by who makes the network.
        all.push((subnet, config));
    }
    for text in ranges {
        let first = text.split('/').next().unwrap_or_default();
        let config = of(&mut all, first).ok_or(format!("no matching subnet for range {text}"))?;
        if !config.range.is_empty() {
            return Err(format!(
                "cannot configure multiple ranges ({text}, {}) on the same subnet ({})",
                config.range, config.subnet
            ));
        }
        config.range.clone_from(text);
    }
    for text in gateways {
        let config = of(&mut all, text).ok_or(format!("no matching subnet for gateway {text}"))?;
        if !config.gateway.is_empty() {
            return Err(format!(
                "cannot configure multiple gateways ({text}, {}) for the same subnet ({})",
                config.gateway, config.subnet
            ));
        }
        config.gateway.clone_from(text);
    }
    for (name, text) in others {
        let config =
            of(&mut all, text).ok_or(format!("no matching subnet for aux-address {text}"))?;
        config.auxiliary.insert(name.clone(), text.clone());
    }
    Ok(all.into_iter().map(|(_, config)| config).collect())
}

/// The description of the subnet in which an address is.
fn of<'a>(
    all: &'a mut [(Option<Subnet>, AddressConfig)],
    address: &str,
) -> Option<&'a mut AddressConfig> {
    let address: IpAddr = address.parse().ok()?;
    let holds = |subnet: &Option<Subnet>| subnet.is_some_and(|subnet| subnet.contains(address));
    let found = all.iter_mut().find(|(subnet, _)| holds(subnet));
    found.map(|(_, config)| config)
}

fn subnet(text: &str) -> Option<Subnet> {
    let (address, prefix) = text.split_once('/')?;
    Subnet::of(address.parse().ok()?, prefix.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(subnets: &[&str], ranges: &[&str], gateways: &[&str], other: &str) -> Parsed<String> {
        let own =
            |texts: &[&str]| -> Vec<String> { texts.iter().map(ToString::to_string).collect() };
        let others = (!other.is_empty()).then(|| ("a".to_owned(), other.to_owned()));
        let others = others.into_iter().collect();
        let all = together(&own(subnets), &own(ranges), &own(gateways), &others)?;
        let show = |one: &AddressConfig| {
            let others: Vec<&str> = one.auxiliary.values().map(String::as_str).collect();
            format!(
                "{} {} {} {}",
                one.subnet,
                one.range,
                one.gateway,
                others.join(",")
            )
        };
        Ok(all.iter().map(show).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn what_belongs_together_is_found() {
        assert_eq!(made(&[], &[], &[], ""), Ok(String::new()));
        assert_eq!(
            made(
                &["10.1.0.0/24", "fd00:1::/64"],
                &["10.1.0.128/25"],
                &["fd00:1::9", "10.1.0.7"],
                "10.1.0.5"
            ),
            Ok("10.1.0.0/24 10.1.0.128/25 10.1.0.7 10.1.0.5; fd00:1::/64  fd00:1::9 ".into())
        );
        let net = &["10.1.0.0/24"];
        let twice = &["10.1.0.0/24", "10.2.0.0/24"];
        for (wrong, words) in [
            (made(&[], &[], &["10.1.0.1"], ""), "every ip-range"),
            (
                made(net, &["10.2.0.0/25"], &[], ""),
                "no matching subnet for range",
            ),
            (
                made(net, &[], &["10.2.0.1"], ""),
                "no matching subnet for gateway",
            ),
            (
                made(net, &[], &[], "10.2.0.1"),
                "no matching subnet for aux-address",
            ),
            (
                made(&["10.0.0.0/8", "10.1.0.0/16"], &[], &[], ""),
                "multiple overlapping",
            ),
            (
                made(twice, &[], &["10.1.0.1", "10.1.0.2"], ""),
                "multiple gateways",
            ),
            (
                made(twice, &["10.1.0.0/25", "10.1.0.128/25"], &[], ""),
                "multiple ranges",
            ),
        ] {
            assert!(
                wrong.as_ref().is_err_and(|error| error.contains(words)),
                "{wrong:?}"
            );
        }
    }
}
