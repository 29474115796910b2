//! How far an address reaches. A registry may redirect to where anyone could have asked, and within its own
//! surroundings, but not into the network of whoever pulls (security: G1, T20).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The surroundings of an address, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reach {
    /// This network segment; clouds keep their secrets at such addresses.
    LinkLocal,
    /// This machine.
    Loopback,
    /// A private network.
    Private,
    /// The Internet.
    Public,
}

impl Reach {
    /// Where `address` is.
    pub(crate) fn of(address: IpAddr) -> Reach {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether who is at `self` may send us to `target`.
    pub(crate) fn may_lead_to(self, target: Reach) -> bool {
        match target {
            Reach::Public => true,
            Reach::Private => matches!(self, Reach::Private | Reach::Loopback),
            Reach::Loopback => self == Reach::Loopback,
            Reach::LinkLocal => self == Reach::LinkLocal,
        }
    }
}

/// The address, if `host` is one and not a name (IPv6 with or without brackets).
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// Whether `host` names this machine without asking any server.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || literal(host).is_some_and(|address| Reach::of(address) == Reach::Loopback)
}

fn of_v4(address: Ipv4Addr) -> Reach {
    let octets = address.octets();
    if address.is_link_local() {
        Reach::LinkLocal
    } else if address.is_loopback() || address.is_unspecified() {
        Reach::Loopback
    } else if address.is_private()
        || octets[0] == 0
        || (octets[0] == 100 && octets[1] & 0xc0 == 64)
        || (octets[0] == 198 && octets[1] & 0xfe == 18)
        || octets[0] >= 224
    {
        Reach::Private
    } else {
        Reach::Public
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    let s = address.segments();
    let embedded = || {
        let [a, b] = s[6].to_be_bytes();
        let [c, d] = s[7].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    if address.is_loopback() || address.is_unspecified() {
        return Reach::Loopback;
    }
    match s {
        // IPv4-mapped, and NAT64's well-known prefix.
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => of_v4(embedded()),
        // Amazon's metadata server.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Reach::LinkLocal,
        [first, ..] if first & 0xffc0 == 0xfe80 => Reach::LinkLocal,
        [first, ..] if first & 0xfe00 == 0xfc00 || first & 0xff00 == 0xff00 => Reach::Private,
        _ => Reach::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for (text, want) in [
            ("93.184.216.34", Reach::Public),
            ("127.8.9.1", Reach::Loopback),
            ("0.0.0.0", Reach::Loopback),
            ("10.1.2.3", Reach::Private),
            ("172.31.0.1", Reach::Private),
            ("172.32.0.1", Reach::Public),
            ("100.64.0.1", Reach::Private),
            ("169.254.169.254", Reach::LinkLocal),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("::ffff:169.254.169.254", Reach::LinkLocal),
            ("64:ff9b::a9fe:a9fe", Reach::LinkLocal),
            ("fd00:ec2::254", Reach::LinkLocal),
            ("fe80::1", Reach::LinkLocal),
            ("fd12::1", Reach::Private),
            ("2606:2800:220:1::1", Reach::Public),
        ] {
            assert_eq!(Reach::of(text.parse().unwrap()), want, "{text}");
        }
        assert!(is_loopback("LOCALHOST") && is_loopback("[::1]") && is_loopback("127.0.0.2"));
        assert!(!is_loopback("localhost.example.com") && !is_loopback("10.0.0.1"));
    }

    #[test]
    fn nobody_leads_nearer_than_they_are() {
        use Reach::*;
        assert!(!Public.may_lead_to(Private) && !Public.may_lead_to(Loopback));
        assert!(!Private.may_lead_to(Loopback) && !Loopback.may_lead_to(LinkLocal));
        assert!(Private.may_lead_to(Private) && Loopback.may_lead_to(Loopback));
        assert!(LinkLocal.may_lead_to(Public));
    }
}
