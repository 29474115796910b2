//! Name servers: which ones there are, and in which order they are asked.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Instant;

use crate::limits::{DISTRUST, SERVERS};

const PORT: u16 = 53;

/// A list of name servers. One that did not answer lately comes last: so a dead one costs one question its wait, not all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Servers(Vec<(SocketAddr, Option<Instant>)>);

impl Servers {
    /// What a user named.
    pub fn of(addresses: &[IpAddr]) -> Servers {
        let servers = addresses
            .iter()
            .map(|address| SocketAddr::new(*address, PORT));
        Servers(servers.take(SERVERS).map(|server| (server, None)).collect())
    }

    /// What a resolv.conf(5) names. `device`: the number of a device's name.
    pub fn in_text(text: &str, device: impl Fn(&str) -> Option<u32>) -> Servers {
        let server = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            if words.next() != Some("nameserver") {
                return None;
            }
            let word = words.next()?;
            match word.split_once('%') {
                Some((address, name)) => {
                    let number = name.parse().ok().or_else(|| device(name))?;
                    Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, number).into())
                }
                None => Some(SocketAddr::new(word.parse().ok()?, PORT)),
            }
        };
        let servers = text.lines().filter_map(server);
        Servers(servers.take(SERVERS).map(|server| (server, None)).collect())
    }

    /// Those to ask, in this order. One that was not asked for a while is tried by one question, while others go on
    /// without it.
    pub fn order(&mut self, now: Instant) -> Vec<SocketAddr> {
        let bad = |until: &Option<Instant>| until.is_some_and(|until| until > now);
        let good = self.0.iter().filter(|(_, until)| !bad(until));
        let rest = self.0.iter().filter(|(_, until)| bad(until));
        let order = good.chain(rest).map(|(server, _)| *server).collect();
        for (_, until) in &mut self.0 {
            if until.is_some() && !bad(until) {
                *until = Some(now + DISTRUST);
            }
        }
        order
    }

    /// Whether a server answered.
    pub fn note(&mut self, server: SocketAddr, answered: bool, now: Instant) {
        for (known, until) in &mut self.0 {
            if *known == server {
                *until = (!answered).then(|| now + DISTRUST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(servers: &mut Servers, now: Instant) -> Vec<String> {
        servers
            .order(now)
            .iter()
            .map(SocketAddr::to_string)
            .collect()
    }

    #[test]
    fn what_resolv_conf_names() {
        let now = Instant::now();
        let device = |name: &str| (name == "eth0").then_some(7);
        let text = "# nameserver 1.1.1.1\nsearch x\nnameserver 10.0.0.53 # ours\n\tnameserver\tfe80::1%eth0\n\
                    nameserver x\nnameserver fe80::2%no\nnameserver\nnameserver 10.0.0.54\nnameserver 10.0.0.55\n";
        let mut servers = Servers::in_text(text, device);
        assert_eq!(
            texts(&mut servers, now),
            ["10.0.0.53:53", "[fe80::1%7]:53", "10.0.0.54:53"]
        );
        assert_eq!(Servers::in_text("", device), Servers::default());
    }

    #[test]
    fn one_that_did_not_answer_is_asked_last_for_a_while() {
        let now = Instant::now();
        let mut servers = Servers::of(&["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()]);
        let first = servers.order(now)[0];
        servers.note(first, false, now);
        assert_eq!(texts(&mut servers, now), ["10.0.0.2:53", "10.0.0.1:53"]);
        assert_eq!(texts(&mut servers, now + DISTRUST)[0], "10.0.0.1:53");
        assert_eq!(
            texts(&mut servers, now + DISTRUST)[0],
            "10.0.0.2:53",
            "one tries"
        );
        servers.note(first, true, now);
        assert_eq!(texts(&mut servers, now)[0], "10.0.0.1:53");
    }
}
