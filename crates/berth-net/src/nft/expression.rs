//! Expressions: what a rule does with a packet, one after the other, over registers of 4 bytes. One that does not match
//! ends the rule.

use berth_model::config::Protocol;
use berth_sys::netlink::Attributes;

use super::elements::{Map, number};

/// Registers, 4 bytes each: `NFT_REG32_00` and so on. Keys of several parts begin at the first, values at the ninth.
const KEY: u32 = 8;
const VALUE: u32 = 16;
/// An address behind a device's name.
const ADDRESS: u32 = KEY + DEVICE as u32 / 4;
/// `NFT_REG_VERDICT`.
const VERDICT: u32 = 0;

const NAME: u16 = 1;
const DATA: u16 = 2;
const LIST_ELEMENT: u16 = 1;

/// `NFT_JUMP`, `NF_DROP`, `NF_ACCEPT`.
const JUMP: i32 = -3;
const DROP: i32 = 0;
const ACCEPT: i32 = 1;

const META_FAMILY: u32 = 15;
const META_MARK: u32 = 3;
const META_INPUT_NAME: u32 = 6;
const META_OUTPUT_NAME: u32 = 7;
const META_TRANSPORT: u32 = 16;
/// Bytes of a device's name, its NUL included.
const DEVICE: usize = 16;

/// Where in a packet its sender's address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// As a packet of IPv4 has it.
    Ip,
    /// As ARP tells it.
    Arp,
    /// As a packet of IPv6 has it.
    Ip6,
    /// As a neighbour advertisement tells it.
    Advertised,
}

/// Which end of a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Target,
}

impl End {
    /// Where its port is in a packet of TCP and UDP.
    fn port(self) -> u32 {
        match self {
            End::Source => 0,
            End::Target => 2,
        }
    }
}

/// A rule's expressions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expressions(Attributes);

impl Expressions {
    pub(crate) fn new() -> Expressions {
        Expressions::default()
    }

    pub(crate) fn list(&self) -> &Attributes {
        &self.0
    }

    fn add(self, name: &str, data: &Attributes) -> Expressions {
        let expression = Attributes::new().text(NAME, name).nest(DATA, data);
        Expressions(self.0.nest(LIST_ELEMENT, &expression))
    }

    /// `iifname NAME`.
    pub(crate) fn input(self, device: &str) -> Expressions {
        self.meta(META_INPUT_NAME, KEY).is(&padded(device))
    }

    /// `oifname NAME`.
    pub(crate) fn output(self, device: &str) -> Expressions {
        self.meta(META_OUTPUT_NAME, KEY).is(&padded(device))
    }

    /// `iifname != NAME`.
    pub(crate) fn not_input(self, device: &str) -> Expressions {
        self.meta(META_INPUT_NAME, KEY)
            .compare(true, &padded(device))
    }

    /// `oifname != NAME`.
    pub(crate) fn not_output(self, device: &str) -> Expressions {
        self.meta(META_OUTPUT_NAME, KEY)
            .compare(true, &padded(device))
    }

    /// `meta nfproto FAMILY`.
    pub(crate) fn family(self, protocol: u8) -> Expressions {
        self.meta(META_FAMILY, KEY).is(&[protocol])
    }

    /// `ip saddr SUBNET`, or of IPv6.
    pub(crate) fn source(self, subnet: crate::Subnet) -> Expressions {
        self.address(subnet, 12, 8)
    }

    /// `ip daddr SUBNET`, or of IPv6.
    pub(crate) fn target(self, subnet: crate::Subnet) -> Expressions {
        self.address(subnet, TARGET.0, TARGET.1)
    }

    fn address(self, subnet: crate::Subnet, four: u32, six: u32) -> Expressions {
        let (offset, length) = match subnet.is_ipv4() {
            true => (four, 4),
            false => (six, 16),
        };
        let loaded = self
            .family(super::protocol_of(subnet.address()))
            .payload(NETWORK, offset, length, KEY);
        let network = match u32::from(subnet.prefix()) == 8 * length {
            true => loaded,
            false => loaded.and(&super::octets(subnet.mask())),
        };
        network.is(&super::octets(subnet.address()))
    }

    /// `th dport != PORT`.
    pub(crate) fn target_port_is_not(self, port: u16) -> Expressions {
        self.payload(TRANSPORT, End::Target.port(), 2, KEY)
            .compare(true, &port.to_be_bytes())
    }

    /// `meta l4proto PROTOCOL`.
    pub(crate) fn transport(self, protocol: u8) -> Expressions {
        self.meta(META_TRANSPORT, KEY).is(&[protocol])
    }

    /// `th sport PORT`, `th dport PORT`.
    pub(crate) fn port(self, end: End, port: u16) -> Expressions {
        self.payload(TRANSPORT, end.port(), 2, KEY)
            .is(&port.to_be_bytes())
    }

    /// `th sport set PORT`, `th dport set PORT`, in a protocol that has its checksum at this place.
    pub(crate) fn set_port(self, end: End, port: u16, checksum: u32) -> Expressions {
        const OF_INTERNET: u32 = 1;
        let load = Attributes::new()
            .big(1, KEY)
            .nest(2, &value(&port.to_be_bytes()));
        let write = Attributes::new()
            .big(5, KEY)
            .big(2, TRANSPORT)
            .big(3, end.port())
            .big(4, 2)
            .big(6, OF_INTERNET)
            .big(7, checksum);
        self.add("immediate", &load).add("payload", &write)
    }

    /// `notrack`.
    pub(crate) fn notrack(self) -> Expressions {
        self.add("notrack", &Attributes::new())
    }

    /// `fib daddr type local`.
    pub(crate) fn target_is_local(self) -> Expressions {
        const RESULT_TYPE: u32 = 3;
        const TARGET: u32 = 2;
        const LOCAL: u32 = 2;
        let data = Attributes::new()
            .big(1, KEY)
            .big(2, RESULT_TYPE)
            .big(3, TARGET);
        self.add("fib", &data).is(&LOCAL.to_ne_bytes())
    }

    /// `ct direction reply`: from whom a connection was made to.
    pub(crate) fn answer(self) -> Expressions {
        const DIRECTION: u32 = 1;
        const REPLY: u8 = 1;
        let load = Attributes::new().big(1, KEY).big(2, DIRECTION);
        self.add("ct", &load).is(&[REPLY])
    }

    /// `ct state established,related`.
    pub(crate) fn known_connection(self) -> Expressions {
        self.connection(0, 1 << 1 | 1 << 2)
    }

    /// `ct status dnat`.
    pub(crate) fn translated(self) -> Expressions {
        self.connection(2, 1 << 5)
    }

    fn connection(self, key: u32, bits: u32) -> Expressions {
        let load = Attributes::new().big(1, KEY).big(2, key);
        self.add("ct", &load)
            .and(&bits.to_ne_bytes())
            .compare(true, &[0; 4])
    }

    /// Protocol and port (and the address between them) → address and port in a map of a family: `dnat` to it.
    pub(crate) fn translate_by(self, map: &Map) -> Expressions {
        const DNAT: u32 = 1;
        let lookup = Attributes::new()
            .text(1, map.name)
            .big(2, KEY)
            .big(3, VALUE);
        let translate = Attributes::new()
            .big(1, DNAT)
            .big(2, map.family.into())
            .big(3, VALUE)
            .big(5, VALUE + map.words());
        self.target_of(map)
            .add("lookup", &lookup)
            .add("nat", &translate)
    }

    /// Whether a map has the packet's target.
    pub(crate) fn target_is_in(self, map: &Map) -> Expressions {
        let lookup = Attributes::new()
            .text(1, map.name)
            .big(2, KEY)
            .big(3, VALUE);
        self.target_of(map).add("lookup", &lookup)
    }

    fn target_of(self, map: &Map) -> Expressions {
        let (offset, length) = match map.family {
            super::IPV4 => (TARGET.0, 4),
            _ => (TARGET.1, 16),
        };
        let key = self.family(map.family).meta(META_TRANSPORT, KEY);
        match map.with_address {
            true => key.payload(NETWORK, offset, length, KEY + 1).payload(
                TRANSPORT,
                2,
                2,
                KEY + 1 + map.words(),
            ),
            false => key.payload(TRANSPORT, 2, 2, KEY + 1),
        }
    }

    /// `meta mark set meta mark | BIT`.
    pub(crate) fn mark(self, bit: u32) -> Expressions {
        let change = Attributes::new()
            .big(1, KEY)
            .big(2, KEY)
            .big(3, 4)
            .nest(4, &value(&(!bit).to_ne_bytes()))
            .nest(5, &value(&bit.to_ne_bytes()));
        let set = Attributes::new().big(2, META_MARK).big(3, KEY);
        self.meta(META_MARK, KEY)
            .add("bitwise", &change)
            .add("meta", &set)
    }

    /// `meta mark & BIT == 0`.
    pub(crate) fn mark_lacks(self, bit: u32) -> Expressions {
        self.meta(META_MARK, KEY)
            .and(&bit.to_ne_bytes())
            .is(&[0; 4])
    }

    /// `meta mark set meta mark & ~BIT`.
    pub(crate) fn unmark(self, bit: u32) -> Expressions {
        let set = Attributes::new().big(2, META_MARK).big(3, KEY);
        self.meta(META_MARK, KEY)
            .and(&(!bit).to_ne_bytes())
            .add("meta", &set)
    }

    /// `iifname != @SET`.
    pub(crate) fn input_is_not_in(self, set: &str) -> Expressions {
        self.meta(META_INPUT_NAME, KEY).in_set(set, KEY, true)
    }

    /// The packet's device and address are in a set.
    pub(crate) fn at_home(self, source: Source, homes: &str) -> Expressions {
        self.address_of(source)
            .meta(META_INPUT_NAME, KEY)
            .in_set(homes, KEY, false)
    }

    /// The packet has an address in one set, and not with its device in the other.
    pub(crate) fn of_another(self, source: Source, taken: &str, homes: &str) -> Expressions {
        self.address_of(source)
            .in_set(taken, ADDRESS, false)
            .meta(META_INPUT_NAME, KEY)
            .in_set(homes, KEY, true)
    }

    fn address_of(self, source: Source) -> Expressions {
        const IP: u16 = 0x0800;
        const ARP: u16 = 0x0806;
        const IP6: u16 = 0x86dd;
        match source {
            Source::Ip => self.ether_type(IP).payload(NETWORK, 12, 4, ADDRESS),
            Source::Arp => self.ether_type(ARP).payload(NETWORK, 14, 4, ADDRESS),
            Source::Ip6 => self.ether_type(IP6).payload(NETWORK, 8, 16, ADDRESS),
            Source::Advertised => self.icmp6(136).payload(TRANSPORT, 8, 16, ADDRESS),
        }
    }

    /// `icmpv6 type KIND`, in a bridge.
    pub(crate) fn icmp6(self, kind: u8) -> Expressions {
        const ICMP6: u8 = 58;
        self.ether_type(0x86dd)
            .payload(NETWORK, 6, 1, KEY)
            .is(&[ICMP6])
            .payload(TRANSPORT, 0, 1, KEY)
            .is(&[kind])
    }

    fn ether_type(self, kind: u16) -> Expressions {
        const META_PROTOCOL: u32 = 1;
        self.meta(META_PROTOCOL, KEY).is(&kind.to_be_bytes())
    }

    fn in_set(self, set: &str, register: u32, not: bool) -> Expressions {
        let lookup = Attributes::new()
            .text(1, set)
            .big(2, register)
            .big(5, u32::from(not));
        self.add("lookup", &lookup)
    }

    /// `masquerade`.
    pub(crate) fn masquerade(self) -> Expressions {
        self.add("masq", &Attributes::new())
    }

    /// `reject with icmpx admin-prohibited`.
    pub(crate) fn reject(self) -> Expressions {
        const OF_BOTH: u32 = 2;
        const PROHIBITED: u8 = 3;
        self.add(
            "reject",
            &Attributes::new().big(1, OF_BOTH).with(2, &[PROHIBITED]),
        )
    }

    /// `reject with tcp reset`, of TCP only.
    pub(crate) fn reset(self) -> Expressions {
        const RESET: u32 = 1;
        self.transport(number(Protocol::Tcp))
            .add("reject", &Attributes::new().big(1, RESET).with(2, &[0]))
    }

    /// `accept`.
    pub(crate) fn accept(self) -> Expressions {
        self.verdict(&Attributes::new().with(1, &ACCEPT.to_be_bytes()))
    }

    /// `drop`.
    pub(crate) fn drop(self) -> Expressions {
        self.verdict(&Attributes::new().with(1, &DROP.to_be_bytes()))
    }

    /// `jump CHAIN`.
    pub(crate) fn jump(self, chain: &str) -> Expressions {
        self.verdict(
            &Attributes::new()
                .with(1, &JUMP.to_be_bytes())
                .text(2, chain),
        )
    }

    fn verdict(self, verdict: &Attributes) -> Expressions {
        let data = Attributes::new().nest(2, verdict);
        self.add(
            "immediate",
            &Attributes::new().big(1, VERDICT).nest(2, &data),
        )
    }

    fn meta(self, key: u32, register: u32) -> Expressions {
        self.add("meta", &Attributes::new().big(1, register).big(2, key))
    }

    fn payload(self, base: u32, offset: u32, length: u32, register: u32) -> Expressions {
        let data = Attributes::new()
            .big(1, register)
            .big(2, base)
            .big(3, offset)
            .big(4, length);
        self.add("payload", &data)
    }

    fn and(self, mask: &[u8]) -> Expressions {
        let data = Attributes::new()
            .big(1, KEY)
            .big(2, KEY)
            .big(3, mask.len() as u32)
            .nest(4, &value(mask))
            .nest(5, &value(&vec![0; mask.len()]));
        self.add("bitwise", &data)
    }

    fn is(self, bytes: &[u8]) -> Expressions {
        self.compare(false, bytes)
    }

    fn compare(self, differs: bool, bytes: &[u8]) -> Expressions {
        let data = Attributes::new()
            .big(1, KEY)
            .big(2, u32::from(differs))
            .nest(3, &value(bytes));
        self.add("cmp", &data)
    }
}

/// Where a payload is counted from.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
/// Where a packet's target is, with IPv4 and with IPv6.
const TARGET: (u32, u32) = (16, 24);

fn value(bytes: &[u8]) -> Attributes {
    Attributes::new().with(1, bytes)
}

pub(crate) fn padded(device: &str) -> [u8; DEVICE] {
    let mut bytes = [0; DEVICE];
    for (to, from) in bytes.iter_mut().zip(device.bytes()) {
        *to = from;
    }
    bytes
}
