//! The `WWW-Authenticate` header: what a registry wants to see before it answers.
//!
//! `Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull"`
//! Source: RFC 9110, section 11.6.1; distribution specification, token authentication.

use super::{bounded, skip_space, take_value};

/// One way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token from `realm`.
    Bearer {
        /// The token server's URL.
        realm: String,
        /// What it calls this registry.
        service: Option<String>,
        /// What the registry wants the token to be good for.
        scope: Option<String>,
    },
}

/// The first challenge in these headers that is understood, `Bearer` before `Basic`.
pub fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let mut all: Vec<Challenge> = headers.flat_map(parse).collect();
    all.sort_by_key(|challenge| *challenge == Challenge::Basic);
    all.into_iter().next()
}

/// All challenges of one header that are understood.
fn parse(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut scheme = String::new();
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut rest = bounded(header);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        let (word, after) = rest.split_at(end);
        match skip_space(after).strip_prefix('=') {
            Some(value) => {
                let Some((value, after)) = take_value(skip_space(value), &[' ', '\t', ',']) else {
                    break;
                };
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            None => {
                found.extend(finish(&scheme, std::mem::take(&mut parameters)));
                scheme = word.to_ascii_lowercase();
                rest = after;
            }
        }
    }
    found.extend(finish(&scheme, parameters));
    found
}

fn finish(scheme: &str, parameters: Vec<(String, String)>) -> Option<Challenge> {
    // A parameter that comes twice is a quarrel between two readers: take neither.
    let get = |name: &str| {
        let mut all = parameters.iter().filter(|(key, _)| key == name);
        match (all.next(), all.next()) {
            (Some((_, value)), None) if !value.is_empty() => Some(value.clone()),
            _ => None,
        }
    };
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: get("realm")?,
            service: get("service"),
            scope: get("scope"),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn challenges_are_understood() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull,push""#;
        for (header, want) in [
            (
                hub,
                Some(bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/busybox:pull,push"),
                )),
            ),
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "BEARER Realm = https://a/t , service=s",
                Some(bearer("https://a/t", Some("s"), None)),
            ),
            (
                r#"Basic realm="a", Bearer realm="https://b/\"q""#,
                Some(bearer("https://b/\"q", None, None)),
            ),
            (r#"Negotiate, Basic realm="x""#, Some(Challenge::Basic)),
            ("Negotiate", None),
            ("Bearer service=x", None),
            (r#"Bearer realm="https://a", realm="https://b""#, None),
            (r#"Bearer realm="https://a"#, None),
            ("Bearer realm=", None),
            ("", None),
            ("=,=", None),
            ("Bearer \u{0}=", None),
        ] {
            assert_eq!(choose([header].into_iter()), want, "{header}");
        }
        let two = ["Basic realm=x", "Bearer realm=https://b/"];
        assert_eq!(
            choose(two.into_iter()),
            Some(bearer("https://b/", None, None))
        );
    }
}
