//! The `Authorization` header of a request. Source: RFC 7617 (Basic), RFC 6750, section 2.1 (Bearer).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Bytes of the header: a token of an outside issuer may name some dozen repositories.
const MAX_BYTES: usize = 16 << 10;
/// Bytes of a name; longer ones are in no file of ours.
const MAX_USER_BYTES: usize = 255;

/// What a request shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// Name and password.
    Basic {
        /// Without `:` and control characters, not empty.
        user: String,
        /// Overwritten when dropped.
        password: Zeroizing<String>,
    },
    /// A token: letters, digits and `-._~+/=`, not empty.
    Bearer(String),
    /// An empty name and password: some clients send them when they have none.
    Nothing,
}

/// Reads the header's value; `None`: neither of both, or not well formed.
pub fn parse(value: &[u8]) -> Option<Shown> {
    let text = std::str::from_utf8(value).ok()?;
    if text.len() > MAX_BYTES {
        return None;
    }
    let (scheme, rest) = text.split_once(' ')?;
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("basic") {
        basic(rest)
    } else if scheme.eq_ignore_ascii_case("bearer") {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        let token = !rest.is_empty() && rest.bytes().all(fits);
        token.then(|| Shown::Bearer(rest.to_owned()))
    } else {
        None
    }
}

fn basic(encoded: &str) -> Option<Shown> {
    let pair = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let pair = std::str::from_utf8(&pair).ok()?;
    if pair == ":" {
        return Some(Shown::Nothing);
    }
    let (user, password) = pair.split_once(':')?;
    let good =
        !user.is_empty() && user.len() <= MAX_USER_BYTES && !pair.chars().any(char::is_control);
    good.then(|| Shown::Basic {
        user: user.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    })
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shown::Basic { user, .. } => write!(f, "Basic({user}, …)"),
            Shown::Bearer(_) => f.write_str("Bearer(…)"),
            Shown::Nothing => f.write_str("Nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String)> {
        match parse(text.as_bytes())? {
            Shown::Basic { user, password } => Some((user, password.to_string())),
            Shown::Bearer(token) => Some(("bearer".into(), token)),
            Shown::Nothing => Some((String::new(), String::new())),
        }
    }

    fn encoded(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn names_passwords_and_tokens_are_read() {
        let both = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read("Basic dXNlcjpwYTpzcw=="), both("user", "pa:ss"));
        assert_eq!(read("BASIC  dTo= "), both("u", ""));
        assert_eq!(read("Basic Og=="), both("", ""));
        assert_eq!(read(&encoded("ü:ß")), both("ü", "ß"));
        assert_eq!(read("bearer a.b-c_d"), both("bearer", "a.b-c_d"));
    }

    #[test]
    fn nonsense_is_none() {
        for bad in [
            "",
            "Basic",
            "Basic ",
            "Basic dXNlcg==",
            "Basic dXNlcjpwYTpzcw",
            "Basic *",
            "Bearer ",
            "Bearer a b",
            "Bearer a,b",
            "Digest x",
            "Bearer\ta",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        for bad in [
            ":p",
            "u\u{0}:p",
            "u:p\u{0}q",
            "u:p\n",
            &format!("{}:p", "u".repeat(256)),
        ] {
            assert_eq!(read(&encoded(bad)), None, "{bad:?}");
        }
        assert_eq!(read(&format!("Bearer {}", "a".repeat(MAX_BYTES))), None);
        assert_eq!(parse(b"Basic \xff"), None);
        let shown = format!("{:?}", parse(encoded("u:secret").as_bytes()));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
