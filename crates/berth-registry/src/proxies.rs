//! HTTP proxies, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY name them. This machine is never asked through one.
//!
//! NO_PROXY is a list with commas: `*`, a domain (which covers those below it), `host:port`, an address, or a
//! range of addresses (`10.0.0.0/8`). Source: Go's `golang.org/x/net/http/httpproxy`, which Docker uses.

use std::net::IpAddr;

use reqwest::Url;

use crate::Error;
use crate::reach::{is_loopback, literal};

/// Which requests go through which proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    except: Vec<String>,
}

impl Proxies {
    /// From the environment, which the caller reads for us; lower-case names come first.
    ///
    /// # Errors
    /// [`Error::InvalidProxy`].
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Proxies, Error> {
        let either = |lower: &str, upper: &str| {
            let filled = |name| get(name).filter(|value| !value.is_empty());
            filled(lower).or_else(|| filled(upper))
        };
        Proxies::new(
            either("http_proxy", "HTTP_PROXY").as_deref(),
            either("https_proxy", "HTTPS_PROXY").as_deref(),
            &either("no_proxy", "NO_PROXY").unwrap_or_default(),
        )
    }

    /// From the values of the three variables.
    ///
    /// # Errors
    /// [`Error::InvalidProxy`].
    pub fn new(http: Option<&str>, https: Option<&str>, except: &str) -> Result<Proxies, Error> {
        let words = except.split(',').map(|w| w.trim().to_ascii_lowercase());
        Ok(Proxies {
            http: http.map(parse).transpose()?,
            https: https.map(parse).transpose()?,
            except: words.filter(|w| !w.is_empty()).collect(),
        })
    }

    /// The proxy for a request to `url`.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme() {
            "https" => self.https.as_ref(),
            _ => self.http.as_ref(),
        }?;
        let host = url.host_str()?;
        let port = url.port_or_known_default()?;
        (!is_loopback(host) && !self.excepts(host, port)).then_some(proxy)
    }

    /// Whether there is none at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    fn excepts(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let address = literal(&host);
        self.except.iter().any(|rule| {
            let (name, wanted) = match rule.rsplit_once(':') {
                Some((name, digits)) if !name.contains(':') || name.ends_with(']') => {
                    (name, digits.parse::<u16>().ok())
                }
                _ => (rule.as_str(), None),
            };
            if rule == "*" {
                return true;
            }
            if wanted.is_some_and(|wanted| wanted != port) {
                return false;
            }
            match address {
                Some(address) => literal(name) == Some(address) || in_range(address, name),
                None => {
                    let domain = name.trim_start_matches("*.").trim_start_matches('.');
                    host == domain || host.ends_with(&format!(".{domain}"))
                }
            }
        })
    }
}

fn parse(text: &str) -> Result<Url, Error> {
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let usable = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    Url::parse(&full)
        .ok()
        .filter(usable)
        .ok_or_else(|| Error::InvalidProxy {
            // It may hold a password.
            url: text.rsplit('@').next().unwrap_or_default().to_owned(),
        })
}

fn in_range(address: IpAddr, range: &str) -> bool {
    let Some((base, bits)) = range.split_once('/') else {
        return false;
    };
    let (Some(base), Ok(bits)) = (literal(base), bits.parse::<u32>()) else {
        return false;
    };
    match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(a) & mask == u32::from(b) & mask
        }
        (IpAddr::V6(a), IpAddr::V6(b)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(a) & mask == u128::from(b) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_where_they_should() {
        let env = |name: &str| match name {
            "HTTP_PROXY" => Some("proxy:3128".to_owned()),
            "https_proxy" => Some("http://user:pw@secure:3129".to_owned()),
            "NO_PROXY" => {
                Some("corp.example, .dot.example,10.0.0.0/8,one.example:5000,[fd00::1]".to_owned())
            }
            _ => None,
        };
        let proxies = Proxies::from_env(env).unwrap();
        let through = |url: &str| {
            let proxy = proxies.for_url(&Url::parse(url).unwrap());
            proxy.and_then(|p| p.host_str()).map(str::to_owned)
        };
        assert_eq!(through("http://a.example/").as_deref(), Some("proxy"));
        assert_eq!(through("https://a.example/").as_deref(), Some("secure"));
        for direct in [
            "http://localhost:5000/",
            "http://127.0.0.1:5000/",
            "http://[::1]/",
            "https://corp.example/",
            "https://r.corp.example/",
            "https://r.dot.example/",
            "http://10.2.3.4/",
            "http://one.example:5000/",
            "http://[fd00::1]/",
        ] {
            assert_eq!(through(direct), None, "{direct}");
        }
        assert!(through("http://one.example/").is_some());
        assert!(through("http://11.2.3.4/").is_some());
        assert!(through("http://notcorp.example/").is_some());
    }

    #[test]
    fn nonsense_is_refused_without_showing_a_password() {
        for bad in ["ftp://x", "http://", "socks5://u:secret@h"] {
            let error = Proxies::new(Some(bad), None, "").unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
