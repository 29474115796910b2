//! An IPv4 subnet.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A network's addresses: `172.17.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    first: u32,
    prefix: u8,
}

impl Subnet {
    /// The subnet of an address. `None`: no such prefix.
    pub const fn of(address: Ipv4Addr, prefix: u8) -> Option<Subnet> {
        if prefix > 32 {
            return None;
        }
        Some(Subnet {
            first: address.to_bits() & mask(prefix),
            prefix,
        })
    }

    /// Its first address, which names it.
    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first)
    }

    /// Bits of the network.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whose bits are those of the network.
    pub fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(mask(self.prefix))
    }

    /// The address that reaches all.
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.last())
    }

    /// The first address that a host can have: the gateway's.
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first + 1)
    }

    /// Whether an address is inside.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.prefix) == self.first
    }

    /// Whether they share an address.
    pub fn overlaps(self, other: Subnet) -> bool {
        self.first <= other.last() && other.first <= self.last()
    }

    /// Whether it has room for a gateway and a container, and leaves others their addresses.
    pub fn is_usable(self) -> bool {
        let first = self.address();
        (8..=30).contains(&self.prefix)
            && !first.is_loopback()
            && !first.is_link_local()
            && !first.is_multicast()
    }

    /// All addresses for containers, beginning after `last` and going round.
    pub fn hosts_after(self, last: Ipv4Addr) -> impl Iterator<Item = Ipv4Addr> {
        // Without the network's, the gateway's and the broadcast address.
        let count = (u64::from(self.last()) - u64::from(self.first) + 1).saturating_sub(3);
        let low = u64::from(self.first) + 2;
        let start = u64::from(last.to_bits())
            .checked_sub(low)
            .map_or(0, |place| place + 1);
        (0..count).map(move |step| {
            let place = low + (start + step) % count;
            Ipv4Addr::from_bits(place as u32)
        })
    }

    fn last(self) -> u32 {
        self.first | !mask(self.prefix)
    }
}

const fn mask(prefix: u8) -> u32 {
    match prefix {
        0 => 0,
        bits => u32::MAX << (32 - bits),
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Subnet, String> {
        let wrong = || format!("`{text}` is not a subnet, such as 10.9.0.0/16");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
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

    #[test]
    fn words() {
        assert_eq!(subnet("172.17.0.0/16").to_string(), "172.17.0.0/16");
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.1/24",
            "10.0.0/8",
            "x/8",
            "10.0.0.0/-1",
        ] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
        let net = subnet("10.9.0.0/24");
        assert_eq!(net.gateway(), Ipv4Addr::new(10, 9, 0, 1));
        assert_eq!(net.broadcast(), Ipv4Addr::new(10, 9, 0, 255));
        assert!(
            net.contains(Ipv4Addr::new(10, 9, 0, 77)) && !net.contains(Ipv4Addr::new(10, 9, 1, 77))
        );
        for (other, meets) in [
            ("10.0.0.0/8", true),
            ("10.9.0.128/25", true),
            ("10.9.1.0/24", false),
            ("0.0.0.0/0", true),
        ] {
            assert_eq!(net.overlaps(subnet(other)), meets, "{other}");
            assert_eq!(subnet(other).overlaps(net), meets, "{other}");
        }
        for usable in ["10.0.0.0/8", "192.0.2.4/30"] {
            assert!(subnet(usable).is_usable(), "{usable}");
        }
        for bad in [
            "0.0.0.0/0",
            "10.0.0.0/31",
            "127.1.0.0/16",
            "169.254.0.0/16",
            "224.0.0.0/8",
        ] {
            assert!(!subnet(bad).is_usable(), "{bad}");
        }
    }

    #[test]
    fn hosts_go_round_and_leave_out_what_is_taken_by_itself() {
        let net = subnet("10.9.0.0/29");
        let after = |last: [u8; 4]| -> Vec<u8> {
            net.hosts_after(last.into())
                .map(|host| host.octets()[3])
                .collect()
        };
        assert_eq!(after([0, 0, 0, 0]), [2, 3, 4, 5, 6]);
        assert_eq!(after([10, 9, 0, 3]), [4, 5, 6, 2, 3]);
        assert_eq!(after([10, 9, 0, 6]), [2, 3, 4, 5, 6]);
        assert_eq!(after([10, 200, 0, 0]).len(), 5);
        assert_eq!(
            subnet("10.9.0.0/31")
                .hosts_after([0, 0, 0, 0].into())
                .count(),
            0
        );
        assert_eq!(
            subnet("10.9.0.4/30")
                .hosts_after([0, 0, 0, 0].into())
                .count(),
            1
        );
    }
}
