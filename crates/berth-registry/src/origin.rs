//! Who a secret is for. An [`Authorization`] is bound to one [`Origin`] and gives itself to no other, whatever
//! a redirect says (security: G1).

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::credentials::Secret;

/// Scheme, host and port of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// The server of `url`; `None`: it has none.
    pub(crate) fn of(url: &Url) -> Option<Origin> {
        Some(Origin {
            scheme: url.scheme().to_owned(),
            host: url.host_str()?.to_ascii_lowercase(),
            port: url.port_or_known_default()?,
        })
    }
}

/// The value of an `Authorization` header, for one server.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    origin: Origin,
    value: HeaderValue,
}

impl Authorization {
    /// Name and password for `origin`.
    pub(crate) fn basic(
        origin: Origin,
        username: &str,
        password: &Secret,
    ) -> Option<Authorization> {
        let pair = format!("{username}:{}", password.expose());
        Authorization::new(origin, &format!("Basic {}", encode_base64(pair.as_bytes())))
    }

    /// A token for `origin`; `None`: it cannot stand in a header.
    pub(crate) fn bearer(origin: Origin, token: &Secret) -> Option<Authorization> {
        Authorization::new(origin, &format!("Bearer {}", token.expose()))
    }

    /// The header's value, if `url` is on the server that it is for.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&HeaderValue> {
        (Origin::of(url).as_ref() == Some(&self.origin)).then_some(&self.value)
    }

    fn new(origin: Origin, text: &str) -> Option<Authorization> {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(Authorization { origin, value })
    }
}

/// Whether two hosts belong together: the same, or with a common domain below a public one.
///
/// Without the list of public suffixes this guesses: of `a.co.uk` three labels must agree, of `a.com` two.
pub(crate) fn same_site(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    if a == b {
        return true;
    }
    if crate::reach::literal(&a).is_some() || crate::reach::literal(&b).is_some() {
        return false;
    }
    match (site(&a), site(&b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn site(host: &str) -> Option<&str> {
    let labels: Vec<&str> = host.split('.').collect();
    let [.., second, top] = labels[..] else {
        return None;
    };
    let count = if top.len() == 2 && second.len() <= 3 {
        3
    } else {
        2
    };
    let labels = labels.get(labels.len().checked_sub(count)?..)?;
    let length: usize = labels.iter().map(|l| l.len() + 1).sum();
    host.get(host.len() - (length - 1)..)
}

/// Source: RFC 4648, section 4.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let index = (bits >> (18 - 6 * i) & 63) as usize;
            text.push(if i <= group.len() {
                ALPHABET[index].into()
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// G1.
    #[test]
    fn a_secret_is_for_one_server() {
        let origin = Origin::of(&url("https://r.example/v2/")).unwrap();
        let secret = Authorization::basic(origin, "user", &Secret::new("pa:ss")).unwrap();
        let value = secret.for_url(&url("https://R.example:443/x?y")).unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic dXNlcjpwYTpzcw==");
        for other in [
            "http://r.example/",
            "https://r.example:444/",
            "https://a.r.example/",
            "https://r.example.evil/",
        ] {
            assert!(secret.for_url(&url(other)).is_none(), "{other}");
        }
        assert!(!format!("{secret:?}").contains("dXNlcj"));
        let origin = Origin::of(&url("https://r.example/")).unwrap();
        assert!(Authorization::bearer(origin, &Secret::new("a\r\nb: c")).is_none());
    }

    #[test]
    fn sites_are_compared() {
        for (a, b) in [
            ("registry-1.docker.io", "auth.docker.io"),
            ("registry.gitlab.com", "gitlab.com"),
            ("a.corp.co.uk", "b.corp.co.uk"),
            ("10.0.0.1", "10.0.0.1"),
            ("localhost", "localhost"),
        ] {
            assert!(same_site(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("docker.io", "docker.io.evil.example"),
            ("good.co.uk", "evil.co.uk"),
            ("good.com", "evil.com"),
            ("10.0.0.1", "11.0.0.1"),
            ("localhost", "host"),
            ("co.uk", "a.co.uk"),
        ] {
            assert!(!same_site(a, b), "{a} {b}");
        }
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(encode_base64(bytes.as_bytes()), text);
        }
    }
}
