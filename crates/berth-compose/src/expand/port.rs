//! Ports: `[[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]`, each side a number or a range.
//!
//! Ranges of equal length are pairs; a range before one target is the choice of the port on the host.

use crate::limits;
use crate::merge::unique;
use crate::node::{Node, Path, Value};
use crate::settle::Settle;
use crate::value;

/// Each short form becomes its ports.
pub(crate) fn ports(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    let Value::List(items) = &mut node.value else {
        return;
    };
    let mut ports = Vec::with_capacity(items.len());
    for (n, item) in std::mem::take(items).into_iter().enumerate() {
        let Some(text) = item.as_text() else {
            ports.push(item);
            continue;
        };
        if settle.is_open(text) {
            ports.push(item);
            continue;
        }
        match parse(text) {
            Ok(parsed) => ports.extend(parsed.into_iter().map(|port| port.node(&item))),
            Err(wrong) => settle.problem_with(
                item.at,
                &path.item(n),
                wrong,
                Some("write [[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL], as in \"8080:80\"".to_owned()),
            ),
        }
    }
    node.value = Value::List(unique(ports, port_key));
}

/// By address, ports and protocol.
pub(crate) fn port_key(node: &Node) -> String {
    if let Some(text) = node.as_text() {
        return text.to_owned();
    }
    let text = |key: &str| node.get(key).and_then(Node::scalar_text);
    let (host, protocol) = (text("host_ip"), text("protocol"));
    format!(
        "{}:{}:{}/{}",
        host.as_deref().unwrap_or("0.0.0.0"),
        text("published").unwrap_or_default(),
        text("target").unwrap_or_default(),
        protocol.as_deref().unwrap_or("tcp").to_ascii_lowercase()
    )
}

#[derive(Debug, PartialEq, Eq)]
struct Port {
    host_ip: Option<String>,
    published: Option<String>,
    target: u16,
    protocol: String,
}

impl Port {
    fn node(self, short: &Node) -> Node {
        let mut node = Node::map(short.at);
        node.tag = short.tag;
        node.set("mode", Node::text(short.at, "ingress"));
        if let Some(ip) = self.host_ip {
            node.set("host_ip", Node::text(short.at, ip));
        }
        node.set(
            "target",
            Node::new(short.at, Value::Int(self.target.into())),
        );
        if let Some(published) = self.published {
            node.set("published", Node::text(short.at, published));
        }
        node.set("protocol", Node::text(short.at, self.protocol));
        node
    }
}

fn parse(text: &str) -> Result<Vec<Port>, String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    value::protocol(protocol)?;
    let protocol = protocol.to_ascii_lowercase();
    let (front, target) = match ports.rsplit_once(':') {
        Some((front, target)) => (Some(front), target),
        None => (None, ports),
    };
    let (host_ip, published) = match front.map(|front| front.rsplit_once(':').ok_or(front)) {
        None => (None, ""),
        Some(Err(published)) => (None, published),
        Some(Ok((ip, published))) => (Some(ip), published),
    };
    let host_ip = match host_ip {
        None | Some("") => None,
        Some(ip) => {
            let bare = ip.trim_start_matches('[').trim_end_matches(']');
            value::ip(bare)?;
            Some(bare.to_owned())
        }
    };
    let targets = range(target)?;
    let count = usize::from(targets.1 - targets.0) + 1;
    if count > limits::PORT_RANGE {
        return Err(format!("{count} ports are too many at once"));
    }
    let publish = |n: u16| -> Result<Option<String>, String> {
        if published.is_empty() {
            return Ok(None);
        }
        let hosts = range(published)?;
        match usize::from(hosts.1 - hosts.0) + 1 {
            length if length == count => Ok(Some((hosts.0 + n).to_string())),
            _ if count == 1 => Ok(Some(published.to_owned())),
            length => Err(format!(
                "`{published}` is {length} ports and `{target}` is {count}: ranges have to be of equal length"
            )),
        }
    };
    let one = |n: u16| {
        Ok(Port {
            host_ip: host_ip.clone(),
            published: publish(n)?,
            target: targets.0 + n,
            protocol: protocol.clone(),
        })
    };
    (0..=targets.1 - targets.0).map(one).collect()
}

/// First and last port.
pub(crate) fn range(text: &str) -> Result<(u16, u16), String> {
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 && !text.starts_with('+') => Ok(port),
        _ => Err(format!("`{text}` is no port: a number between 1 and 65535")),
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    match first <= last {
        true => Ok((first, last)),
        false => Err(format!("`{text}` ends before it begins")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let line = |port: Port| {
            format!(
                "{} {} {} {}",
                port.host_ip.as_deref().unwrap_or("-"),
                port.published.as_deref().unwrap_or("-"),
                port.target,
                port.protocol
            )
        };
        parse(text).unwrap().into_iter().map(line).collect()
    }

    #[test]
    fn short_forms() {
        for (text, want) in [
            ("80", &["- - 80 tcp"][..]),
            ("8080:80", &["- 8080 80 tcp"]),
            ("8080:80/UDP", &["- 8080 80 udp"]),
            (":80", &["- - 80 tcp"]),
            ("127.0.0.1:8080:80", &["127.0.0.1 8080 80 tcp"]),
            ("127.0.0.1::80", &["127.0.0.1 - 80 tcp"]),
            ("[::1]:8080:80", &["::1 8080 80 tcp"]),
            ("::1:8080:80", &["::1 8080 80 tcp"]),
            ("80-81", &["- - 80 tcp", "- - 81 tcp"]),
            ("8080-8081:80-81", &["- 8080 80 tcp", "- 8081 81 tcp"]),
            ("8000-8010:80", &["- 8000-8010 80 tcp"]),
        ] {
            assert_eq!(lines(text), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_port() {
        for (text, says) in [
            ("", "no port"),
            ("0", "no port"),
            ("65536", "no port"),
            ("+80", "no port"),
            ("a:80", "no port"),
            ("80:", "no port"),
            ("81-80", "ends before it begins"),
            ("80/icmp", "none of tcp, udp, sctp"),
            ("x:80:80", "not an address"),
            ("8080-8082:80-81", "equal length"),
            ("8080:80-81", "equal length"),
            ("1-65535", "too many"),
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.contains(says), "{text}: {wrong}");
        }
    }
}
