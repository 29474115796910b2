//! A subnet, IPv4 or IPv6.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network's addresses: `172.17.0.0/16`, `fd00:1::/64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    first: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// The subnet of an address. `None`: no such prefix.
    pub const fn of(address: IpAddr, prefix: u8) -> Option<Subnet> {
        if prefix > width(address) {
            return None;
        }
        let first = bits(address) & mask(width(address), prefix);
        Some(Subnet {
            first: like(address, first),
            prefix,
        })
    }

    /// Its first address, which names it.
    pub fn address(self) -> IpAddr {
        self.first
    }

    /// Bits of the network.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether its addresses are IPv4.
    pub fn is_ipv4(self) -> bool {
        self.first.is_ipv4()
    }

    /// Whose bits are those of the network.
    pub fn mask(self) -> IpAddr {
        like(self.first, mask(width(self.first), self.prefix))
    }

    /// The last address: with IPv4 the one that reaches all.
    pub fn broadcast(self) -> IpAddr {
        like(self.first, self.last())
    }

    /// The first address that a host can have: the gateway's, unless told otherwise.
    pub fn gateway(self) -> IpAddr {
        like(self.first, bits(self.first).wrapping_add(1))
    }

    /// Whether an address is inside.
    pub fn contains(self, address: IpAddr) -> bool {
        Subnet::of(address, self.prefix) == Some(self)
    }

    /// Whether they share an address.
    pub fn overlaps(self, other: Subnet) -> bool {
        let wider = self.prefix.min(other.prefix);
        Subnet::of(self.first, wider) == Subnet::of(other.first, wider)
    }

    /// Whether it has room for a gateway and a container, and leaves others their addresses.
    pub fn is_usable(self) -> bool {
        let own = match self.first {
            IpAddr::V4(first) => {
                first.is_loopback() || first.is_link_local() || first.is_multicast()
            }
            IpAddr::V6(first) => first.is_unicast_link_local() || first.is_multicast(),
        };
        (8..=width(self.first) - 2).contains(&self.prefix) && !own
    }

    /// All addresses, beginning after `last` and going round.
    pub fn addresses_after(self, last: IpAddr) -> impl Iterator<Item = IpAddr> {
        let low = bits(self.first);
        // More than can be looked through are as good as all.
        let count = (self.last() - low).saturating_add(1).min(1 << 64);
        let start = match self.contains(last) {
            true => (bits(last) - low) % count + 1,
            false => 0,
        };
        (0..count).map(move |step| like(self.first, low + (start + step) % count))
    }

    fn last(self) -> u128 {
        let width = width(self.first);
        bits(self.first) | (mask(width, width) & !mask(width, self.prefix))
    }
}

/// Bits of an address of its family.
const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

const fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits() as u128,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// An address of the family of another.
const fn like(address: IpAddr, bits: u128) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

/// The highest `prefix` of the lowest `width` bits.
const fn mask(width: u8, prefix: u8) -> u128 {
    let all = u128::MAX >> (128 - width);
    match width - prefix {
        128 => 0,
        hosts => all >> hosts << hosts,
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Subnet, String> {
        let wrong = || format!("`{text}` is not a subnet, such as 10.9.0.0/16 or fd00:9::/64");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        match Subnet::of(address, prefix) {
            Some(subnet) if subnet.address() == address => Ok(subnet),
            Some(subnet) => Err(format!("`{text}` has bits of a host: it would be {subnet}")),
            None => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn words() {
        for text in [
            "172.17.0.0/16",
            "fd00:1::/64",
            "::/0",
            "0.0.0.0/0",
            "::1/128",
        ] {
            assert_eq!(subnet(text).to_string(), text);
        }
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.1/24",
            "10.0.0/8",
            "x/8",
            "10.0.0.0/-1",
            "fd00::1/64",
            "fd00::/129",
        ] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
        let (four, six) = (subnet("10.9.0.0/24"), subnet("fd00:9::/64"));
        assert_eq!(four.gateway(), ip("10.9.0.1"));
        assert_eq!(four.broadcast(), ip("10.9.0.255"));
        assert_eq!(four.mask(), ip("255.255.255.0"));
        assert_eq!(six.gateway(), ip("fd00:9::1"));
        assert_eq!(six.mask(), ip("ffff:ffff:ffff:ffff::"));
        assert!(four.contains(ip("10.9.0.77")) && !four.contains(ip("10.9.1.77")));
        assert!(six.contains(ip("fd00:9::77")) && !six.contains(ip("fd00:9:0:1::")));
        assert!(!four.contains(ip("::10.9.0.77")));
    }

    #[test]
    fn who_meets_whom() {
        for (one, other, meet) in [
            ("10.9.0.0/24", "10.0.0.0/8", true),
            ("10.9.0.0/24", "10.9.0.128/25", true),
            ("10.9.0.0/24", "10.9.1.0/24", false),
            ("10.9.0.0/24", "0.0.0.0/0", true),
            ("10.9.0.0/24", "::/0", false),
            ("fd00:9::/64", "fd00::/8", true),
            ("fd00:9::/64", "fd00:8::/64", false),
        ] {
            assert_eq!(subnet(one).overlaps(subnet(other)), meet, "{one} {other}");
            assert_eq!(subnet(other).overlaps(subnet(one)), meet, "{other} {one}");
        }
        for usable in ["10.0.0.0/8", "192.0.2.4/30", "fd00::/64", "2001:db8::/126"] {
            assert!(subnet(usable).is_usable(), "{usable}");
        }
        for bad in [
            "0.0.0.0/0",
            "10.0.0.0/31",
            "127.1.0.0/16",
            "169.254.0.0/16",
            "224.0.0.0/8",
            "fe80::/64",
            "ff02::/16",
            "fd00::/127",
            "::/0",
        ] {
            assert!(!subnet(bad).is_usable(), "{bad}");
        }
    }

    #[test]
    fn addresses_go_round() {
        let after = |net: &str, last: &str| -> Vec<String> {
            let all = subnet(net).addresses_after(ip(last)).take(9);
            all.map(|one| one.to_string()).collect()
        };
        let four = |hosts: &[u8]| -> Vec<String> {
            hosts.iter().map(|host| format!("10.9.0.{host}")).collect()
        };
        assert_eq!(after("10.9.0.0/30", "0.0.0.0"), four(&[0, 1, 2, 3]));
        assert_eq!(after("10.9.0.0/30", "10.9.0.1"), four(&[2, 3, 0, 1]));
        assert_eq!(after("10.9.0.0/30", "10.9.0.3"), four(&[0, 1, 2, 3]));
        assert_eq!(after("10.9.0.4/30", "::"), four(&[4, 5, 6, 7]));
        assert_eq!(after("fd00::8/127", "fd00::8"), ["fd00::9", "fd00::8"]);
        assert_eq!(after("fd00::/64", "fd00::8")[..2], ["fd00::9", "fd00::a"]);
        assert_eq!(after("fd00::/8", "fcff::")[0], "fd00::");
        assert_eq!(after("::/0", "::")[0], "::1");
    }
}
