//! `--network`, `--publish`, `--dns` and other options of the network.

use std::net::IpAddr;

use berth_model::config::{EndpointConfig, NetworkMode, Port, PortBinding};

use super::Parsed;

/// What `--network` says: which, and in its long form how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Connection {
    /// `None`: the default.
    pub mode: Option<NetworkMode>,
    /// Of the long form.
    pub endpoint: EndpointConfig,
}

/// `NAME`, or `name=NAME[,alias=…][,ip=…][,ip6=…][,mac-address=…][,link-local-ip=…][,driver-opt=…][,gw-priority=…]`.
pub fn connection(text: &str) -> Parsed<Connection> {
    let mut made = Connection::default();
    if !text.contains('=') {
        made.mode = mode(text)?;
        return Ok(made);
    }
    let mut named = false;
    for field in super::mount::csv(text)? {
        let into = &mut made.endpoint;
        match field.split_once('=') {
            Some(("name", name)) => {
                made.mode = mode(name)?;
                named = true;
            }
            Some(("alias", name)) => into.aliases.push(word(name)?),
            Some(("ip", address)) => into.addresses.push(v4(address)?),
            Some(("ip6", address)) => into.addresses.push(v6(address)?),
            Some(("link-local-ip", one)) => into.link_local.push(address(one)?),
            Some(("mac-address", address)) => into.mac = Some(mac(address)?),
            Some(("gw-priority", number)) => {
                into.gateway_priority = number
                    .parse()
                    .map_err(|_| format!("`{number}` is not a priority"))?;
            }
            Some(("driver-opt", option)) => {
                let (key, value) = super::annotation(option)?;
                into.driver_options.insert(key, value);
            }
            _ => return Err(format!("network option `{field}` is not known")),
        }
    }
    match named {
        true => Ok(made),
        false => Err(format!("`{text}` names no network (name=NAME)")),
    }
}

fn mode(text: &str) -> Parsed<Option<NetworkMode>> {
    match text {
        "" | "default" => Ok(None),
        name => name.parse().map(Some),
    }
}

/// `[[ADDRESS:][HOST]:]PORT[/PROTOCOL]`; both ports may be ranges.
///
/// Source: docker/go-connections, `nat.ParsePortSpec`.
pub fn publish(text: &str) -> Parsed<Vec<PortBinding>> {
    let (address, host, inside) = split(text);
    let ports = Port::range(inside)?;
    let host_ip = match address.trim_start_matches('[').trim_end_matches(']') {
        "" => None,
        bare => Some(self::address(bare)?),
    };
    let (first, last) = if host.is_empty() {
        (0, 0)
    } else {
        let (first, last) = host.split_once('-').unwrap_or((host, host));
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u16>()
                .ok()
                .filter(|_| digits)
                .ok_or_else(|| format!("`{text}`: `{host}` is not a port of the host"))
        };
        (number(first)?, number(last)?)
    };
    if first > last {
        return Err(format!("the range of ports `{host}` runs backwards"));
    }
    let fits = ports.len() == 1 || first == 0 || usize::from(last - first) + 1 == ports.len();
    if !fits {
        return Err(format!(
            "`{text}`: the two ranges are not of the same length"
        ));
    }
    let binding = |(at, port): (usize, &Port)| {
        let (first, last) = match (ports.len(), first) {
            (1, _) | (_, 0) => (first, last),
            _ => (first + at as u16, first + at as u16),
        };
        PortBinding {
            container_port: port.number,
            protocol: port.protocol,
            host_ip,
            host_port_first: first,
            host_port_last: last,
        }
    };
    Ok(ports.iter().enumerate().map(binding).collect())
}

/// Address, port of the host, port inside.
fn split(text: &str) -> (&str, &str, &str) {
    let Some((rest, inside)) = text.rsplit_once(':') else {
        return ("", "", text);
    };
    match rest.rsplit_once(':') {
        // An address of version 6 alone has colons, too.
        Some((address, host)) if !rest.ends_with(']') => (address, host, inside),
        _ if rest.starts_with('[') => (rest, "", inside),
        _ => ("", rest, inside),
    }
}

/// An address.
pub fn address(text: &str) -> Parsed<IpAddr> {
    text.trim()
        .parse()
        .map_err(|_| format!("`{text}` is not an address"))
}

/// An address of version 4.
pub fn v4(text: &str) -> Parsed<IpAddr> {
    address(text).and_then(|address| match address.is_ipv4() {
        true => Ok(address),
        false => Err(format!("`{text}` is not an address of IPv4")),
    })
}

/// An address of version 6.
pub fn v6(text: &str) -> Parsed<IpAddr> {
    address(text).and_then(|address| match address.is_ipv6() {
        true => Ok(address),
        false => Err(format!("`{text}` is not an address of IPv6")),
    })
}

/// `NAME:ADDRESS` or `NAME=ADDRESS` → the first; the address may be `host-gateway`.
pub fn host(text: &str) -> Parsed<String> {
    let bad = || format!("`{text}` is not of the form NAME:ADDRESS");
    let at = text.find([':', '=']).ok_or_else(bad)?;
    let (name, rest) = (&text[..at], &text[at + 1..]);
    let bare = rest.trim_start_matches('[').trim_end_matches(']');
    let name = word(name).map_err(|_| bad())?;
    if bare == "host-gateway" {
        return Ok(format!("{name}:{bare}"));
    }
    Ok(format!("{name}:{}", address(bare)?))
}

/// A search domain; `.`: none.
///
/// Source: docker/cli `opts.ValidateDNSSearch`.
pub fn domain(text: &str) -> Parsed<String> {
    let label = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let text = text.trim();
    let bare = text.strip_suffix('.').unwrap_or(text);
    if text == "." || (bare.len() <= 255 && bare.split('.').all(label)) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a domain"))
}

/// Six bytes in hexadecimal.
pub fn mac(text: &str) -> Parsed<String> {
    let byte = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts: Vec<&str> = text.trim().split([':', '-']).collect();
    if parts.len() == 6 && parts.iter().all(|part| byte(part)) {
        return Ok(parts.join(":").to_ascii_lowercase());
    }
    Err(format!("`{text}` is not a hardware address"))
}

/// Not empty, without white space.
pub fn word(text: &str) -> Parsed<String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("`{text}` is empty or contains white space"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `inside/protocol address first last`, one binding after the other.
    fn shown(text: &str) -> Parsed<Vec<String>> {
        let show = |binding: &PortBinding| {
            let ip = binding.host_ip.map_or("-".into(), |ip| ip.to_string());
            let (first, last) = (binding.host_port_first, binding.host_port_last);
            format!("{} {ip} {first} {last}", binding.port())
        };
        Ok(publish(text)?.iter().map(show).collect())
    }

    #[test]
    fn published_ports() {
        for (text, want) in [
            ("80", &["80/tcp - 0 0"][..]),
            ("8080:80", &["80/tcp - 8080 8080"]),
            ("127.0.0.1:8080:80/udp", &["80/udp 127.0.0.1 8080 8080"]),
            ("127.0.0.1::80", &["80/tcp 127.0.0.1 0 0"]),
            ("[::1]:8080:80", &["80/tcp ::1 8080 8080"]),
            ("[::1]::80", &["80/tcp ::1 0 0"]),
            ("8000-8010:80", &["80/tcp - 8000 8010"]),
            ("80-81", &["80/tcp - 0 0", "81/tcp - 0 0"]),
            ("90-91:80-81", &["80/tcp - 90 90", "81/tcp - 91 91"]),
        ] {
            assert_eq!(
                shown(text).as_deref(),
                Ok(&want.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
        for bad in [
            "",
            ":",
            "0",
            "a",
            "80:a",
            "a:80",
            "65536",
            "90-92:80-81",
            "91-90:80",
            "80/icmp",
            "x:1:80",
            "1:2:3:4",
            "+1:80",
        ] {
            assert!(publish(bad).is_err(), "{bad} → {:?}", publish(bad));
        }
    }

    #[test]
    fn networks() {
        let mode = |text: &str| connection(text).map(|connection| connection.mode);
        assert_eq!(mode("default"), Ok(None));
        assert_eq!(mode("bridge"), Ok(Some(NetworkMode::Bridge)));
        let joined = NetworkMode::Container("web".into());
        assert_eq!(mode("container:web"), Ok(Some(joined)));
        let long = connection("name=bridge,mac-address=02-42-AC-11-00-02,alias=web").unwrap();
        assert_eq!(long.mode, Some(NetworkMode::Bridge));
        assert_eq!(long.endpoint.mac.as_deref(), Some("02:42:ac:11:00:02"));
        assert_eq!(long.endpoint.aliases, ["web"]);
        assert_eq!(mode("lan"), Ok(Some(NetworkMode::Named("lan".into()))));
        let first = connection("name=lan,gw-priority=-3").unwrap();
        assert_eq!(first.endpoint.gateway_priority, -3);
        for bad in [
            "container:",
            "alias=web",
            "name=bridge,x=y",
            "name=bridge,ip=::1",
            "name=lan,gw-priority=x",
        ] {
            assert!(connection(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_and_addresses() {
        assert_eq!(host("db:10.0.0.1"), Ok("db:10.0.0.1".into()));
        assert_eq!(host("db=::1"), Ok("db:::1".into()));
        assert_eq!(host("db:[::1]"), Ok("db:::1".into()));
        assert_eq!(host("db:host-gateway"), Ok("db:host-gateway".into()));
        for bad in ["db", ":1.2.3.4", "db:", "db:x", "d b:1.2.3.4"] {
            assert!(host(bad).is_err(), "{bad}");
        }
        assert!(domain(".").is_ok() && domain("a.example.").is_ok());
        assert!(domain("").is_err() && domain("a..b").is_err() && domain("a b").is_err());
        assert!(mac("02:42:ac:11:00").is_err() && mac("02:42:ac:11:00:zz").is_err());
    }
}
