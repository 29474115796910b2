//! Which names and addresses there are in which network. Pure: what the files say comes in, answers go out.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::message::{Answer, INTERNET, Name, Question, kind};
use crate::record::{Joined, Names};

/// All networks, by their ids.
#[derive(Debug, Default)]
pub struct Table(HashMap<String, Network>);

/// A network: what its containers are called. A name that several have is each one's.
#[derive(Debug, Default)]
struct Network {
    members: BTreeMap<String, Names>,
    by_name: HashMap<String, Vec<String>>,
    by_address: HashMap<IpAddr, String>,
}

impl Table {
    /// What a container is called in a network, from now on.
    pub fn set(&mut self, network: &str, container: &str, mut names: Names) {
        let network = self.0.entry(network.to_owned()).or_default();
        network.remove(container);
        for name in &mut names.names {
            name.make_ascii_lowercase();
            let owners = network.by_name.entry(name.clone()).or_default();
            if !owners.iter().any(|owner| owner == container) {
                owners.push(container.to_owned());
            }
        }
        for address in &names.addresses {
            network.by_address.insert(*address, container.to_owned());
        }
        network.members.insert(container.to_owned(), names);
    }

    /// It has left the network.
    pub fn remove(&mut self, network: &str, container: &str) {
        if let Some(network) = self.0.get_mut(network) {
            network.remove(container);
        }
    }

    /// The network is gone, or is read anew.
    pub fn forget(&mut self, network: &str) {
        self.0.remove(network);
    }

    /// The answer to a container that is in these networks: `None` when nobody here has the name. A name that somebody
    /// has is never asked for elsewhere: what it has not, it has nowhere. `turn`: of several addresses, which comes first.
    pub fn answer(&self, joined: &[Joined], asked: &Question, turn: usize) -> Option<Vec<Answer>> {
        if asked.class != INTERNET {
            return None;
        }
        if asked.kind == kind::PTR {
            let address = asked.name.address()?;
            return self
                .reverse(joined, address)
                .map(|name| vec![Answer::Name(name)]);
        }
        let mut addresses = self.addresses(joined, &asked.name.text()?, asked.kind)?;
        if !addresses.is_empty() {
            let first = turn % addresses.len();
            addresses.rotate_left(first);
        }
        Some(addresses.into_iter().map(Answer::Address).collect())
    }

    /// `web`, or `web.NETWORK`: in the first network that has one of that type.
    fn addresses(&self, joined: &[Joined], name: &str, kind: u16) -> Option<Vec<IpAddr>> {
        let of_network = |joined: &Joined, name: &str| {
            let network = self.0.get(&joined.id)?;
            // The container's own word for somebody comes before what others are called.
            let linked = joined
                .links
                .iter()
                .find(|(alias, _)| alias.eq_ignore_ascii_case(name));
            linked
                .and_then(|(_, target)| network.addresses(&target.to_ascii_lowercase()))
                .or_else(|| network.addresses(name))
        };
        let wanted = |address: &IpAddr| match kind {
            kind::A => address.is_ipv4(),
            kind::AAAA => address.is_ipv6(),
            kind => kind == kind::ANY,
        };
        let mut known = None;
        let dots = name
            .rmatch_indices('.')
            .map(|(at, _)| (&name[..at], Some(&name[at + 1..])));
        for (name, of) in std::iter::once((name, None)).chain(dots) {
            let among = joined
                .iter()
                .filter(|joined| of.is_none_or(|of| joined.name.eq_ignore_ascii_case(of)));
            for joined in among {
                let Some(mut addresses) = of_network(joined, name) else {
                    continue;
                };
                addresses.retain(wanted);
                if !addresses.is_empty() {
                    return Some(addresses);
                }
                known = Some(addresses);
            }
            if known.is_some() {
                break;
            }
        }
        known
    }

    fn reverse(&self, joined: &[Joined], address: IpAddr) -> Option<Name> {
        joined.iter().find_map(|joined| {
            let network = self.0.get(&joined.id)?;
            let owner = network.by_address.get(&address)?;
            let name = network.members.get(owner)?.names.first()?;
            Name::of(&format!("{name}.{}", joined.name))
        })
    }
}

impl Network {
    fn remove(&mut self, container: &str) {
        let Some(old) = self.members.remove(container) else {
            return;
        };
        for name in &old.names {
            if let Some(owners) = self.by_name.get_mut(name) {
                owners.retain(|owner| owner != container);
                if owners.is_empty() {
                    self.by_name.remove(name);
                }
            }
        }
        for address in &old.addresses {
            // It may have been given to the next one already.
            if self
                .by_address
                .get(address)
                .is_some_and(|owner| owner == container)
            {
                self.by_address.remove(address);
            }
        }
    }

    fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        let owners = self.by_name.get(name)?;
        let members = owners.iter().filter_map(|owner| self.members.get(owner));
        Some(
            members
                .flat_map(|names| names.addresses.iter().copied())
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests;
