//! Which private subnet the bridge gets: the first that nothing on this host uses.

use std::net::{IpAddr, Ipv4Addr};

use crate::Subnet;

/// How many there are.
const COUNT: usize = 15 + 16;

/// In this order, which is Docker's: 172.17.0.0/16 … 172.31.0.0/16, then 192.168.0.0/20 and the others of that size.
pub const CANDIDATES: [Subnet; COUNT] = candidates();

const fn candidates() -> [Subnet; COUNT] {
    let mut all = [match Subnet::of(IpAddr::V4(Ipv4Addr::new(172, 17, 0, 0)), 16) {
        Some(subnet) => subnet,
        None => unreachable!(),
    }; COUNT];
    let mut index = 0;
    while index < COUNT {
        let (address, prefix) = match index {
            0..15 => (Ipv4Addr::new(172, 17 + index as u8, 0, 0), 16),
            _ => (Ipv4Addr::new(192, 168, (index - 15) as u8 * 16, 0), 20),
        };
        if let Some(subnet) = Subnet::of(IpAddr::V4(address), prefix) {
            all[index] = subnet;
        }
        index += 1;
    }
    all
}

/// The first candidate that meets none of `taken`: routes, addresses, name servers. Default routes do not count.
pub fn free_subnet(taken: &[Subnet]) -> Option<Subnet> {
    let meets = |one: &Subnet| {
        taken
            .iter()
            .any(|other| other.prefix() > 0 && other.overlaps(*one))
    };
    CANDIDATES.into_iter().find(|one| !meets(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_one() {
        let taken = |words: &[&str]| -> Vec<Subnet> {
            words.iter().map(|word| word.parse().unwrap()).collect()
        };
        let cases: [(&[&str], Option<&str>); 6] = [
            (&[], Some("172.17.0.0/16")),
            (&["0.0.0.0/0"], Some("172.17.0.0/16")),
            (&["172.17.0.0/16"], Some("172.18.0.0/16")),
            (&["172.17.9.1/32", "172.16.0.0/14"], Some("172.20.0.0/16")),
            (
                &["172.16.0.0/12", "192.168.1.0/24"],
                Some("192.168.16.0/20"),
            ),
            (&["172.16.0.0/12", "192.168.0.0/16"], None),
        ];
        for (words, expected) in cases {
            let found = free_subnet(&taken(words)).map(|subnet| subnet.to_string());
            assert_eq!(found.as_deref(), expected, "{words:?}");
        }
        let last = CANDIDATES[COUNT - 1].to_string();
        assert_eq!(last, "192.168.240.0/20");
    }
}
