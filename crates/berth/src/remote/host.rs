//! `--host`: where a daemon is.
//!
//! | text | means |
//! |---|---|
//! | `unix:///run/berth.sock` | a socket of this machine |
//! | `tcp://HOST[:2376]` | TLS, both sides with certificates |
//! | `ssh://[USER@]HOST[:PORT][/SOCKET]` | the daemon, or the engine, of a machine that ssh leads to |

use std::fmt;
use std::path::PathBuf;

use crate::ui::diagnostic::Failure;

/// The port of Docker's API behind TLS.
const TLS_PORT: u16 = 2376;

/// A daemon's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A socket.
    Unix(PathBuf),
    /// A host and port.
    Tcp(String, u16),
    /// What ssh is asked for.
    Ssh(Ssh),
}

/// A machine behind ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The user there.
    pub user: Option<String>,
    /// The machine, or its name in ssh's configuration.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// The daemon's socket there; `None`: where it is by default.
    pub socket: Option<String>,
}

impl Host {
    /// Reads `text`.
    ///
    /// # Errors
    /// It is no address, or of a kind that is not spoken.
    pub fn parse(text: &str) -> Result<Host, Failure> {
        let bad = |why: &str| {
            Failure::new(format!("`{text}` is no address of a daemon: {why}"))
                .hint("unix:///PATH, tcp://HOST:PORT with certificates, or ssh://[USER@]HOST")
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(bad("it does not say how to get there"));
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Host::Unix(PathBuf::from(rest))),
            "unix" => Err(bad("the socket's path has to be absolute")),
            "tcp" => {
                let rest = rest.trim_end_matches('/');
                let (host, port) = host_and_port(rest).ok_or_else(|| bad("the port is none"))?;
                match plain(&host) {
                    true => Ok(Host::Tcp(host, port.unwrap_or(TLS_PORT))),
                    false => Err(bad("the host's name cannot be")),
                }
            }
            "ssh" => ssh(rest).map_err(bad).map(Host::Ssh),
            "http" | "https" => Err(bad("write tcp:// in its place")),
            _ => Err(bad("berth does not know this way")),
        }
    }
}

fn ssh(rest: &str) -> Result<Ssh, &'static str> {
    let (place, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (user, place) = match place.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, place),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err("a password cannot be given; use a key");
    }
    let (host, port) = host_and_port(place).ok_or("the port is none")?;
    // ssh takes what begins with `-` for an option, and runs what some of them say.
    let safe = |word: &str| !word.starts_with('-') && plain(word);
    if !safe(&host) || !user.is_none_or(safe) {
        return Err("the user's or host's name cannot be");
    }
    Ok(Ssh {
        user: user.map(str::to_owned),
        host,
        port,
        socket: Some(path.to_owned()).filter(|path| path.len() > 1),
    })
}

fn plain(word: &str) -> bool {
    let strange = |c: char| c.is_whitespace() || c.is_control() || "'\"`$;&|<>()\\?#".contains(c);
    !word.is_empty() && !word.contains(strange)
}

/// `host`, `host:port`, `[::1]:port`.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port = match port.strip_prefix(':') {
            Some(port) => Some(port.parse().ok()?),
            None if port.is_empty() => None,
            None => return None,
        };
        return Some((address.to_owned(), port));
    }
    match text.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), Some(port.parse().ok()?))),
        None => Some((text.to_owned(), None)),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = |host: &str| match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        match self {
            Host::Unix(path) => write!(f, "unix://{}", path.display()),
            Host::Tcp(host, port) => write!(f, "tcp://{}:{port}", address(host)),
            Host::Ssh(ssh) => {
                f.write_str("ssh://")?;
                if let Some(user) = &ssh.user {
                    write!(f, "{user}@")?;
                }
                f.write_str(&address(&ssh.host))?;
                if let Some(port) = ssh.port {
                    write!(f, ":{port}")?;
                }
                f.write_str(ssh.socket.as_deref().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            (
                "unix:///run/berth/berth.sock",
                "unix:///run/berth/berth.sock",
            ),
            ("tcp://example:2375", "tcp://example:2375"),
            ("tcp://example", "tcp://example:2376"),
            ("tcp://[::1]:9/", "tcp://[::1]:9"),
            ("ssh://me@example:22", "ssh://me@example:22"),
            ("ssh://example/run/b.sock", "ssh://example/run/b.sock"),
            ("ssh://example/", "ssh://example"),
        ] {
            let host = Host::parse(text).expect(text);
            assert_eq!(host.to_string(), written);
        }
    }

    /// A name that ssh would take for an option is none.
    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "/run/berth.sock",
            "unix://berth.sock",
            "tcp://",
            "tcp://a:b",
            "tcp://a b:1",
            "ssh://-oProxyCommand=x",
            "ssh://-lx@host",
            "ssh://a:b@host",
            "ssh://$(x)",
            "ssh://",
            "http://a:1",
            "npipe:////./pipe/docker",
        ] {
            let failure = Host::parse(text).expect_err(text);
            assert_eq!((failure.code, failure.causes.len()), (None, 0), "{text}");
        }
    }
}
