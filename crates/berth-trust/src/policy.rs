//! Policies: what is required of an image before it is pulled, by the longest prefix of its name.
//!
//! ```toml
//! default = "reject"                        # or "accept" (also when left out), or "signed" with `keys`
//!
//! [[policy]]
//! prefix = "registry.example:5000/team"     # a registry, or a registry and whole parts of a repository's name
//! require = "signed"                        # "accept", "reject" or "signed"
//! keys = ["/etc/berth/keys/team.pub"]       # public keys, PEM; one of them has to have signed
//! ```
//! `docker.io/lib` is no prefix of `docker.io/library/busybox`. Nothing unknown is passed over, so that a typing
//! error cannot open what should be closed.

use std::path::PathBuf;
use std::str::FromStr;

use berth_oci::Reference;
use berth_oci::reference::{check_domain, check_path};
use serde::Deserialize;

use crate::Error;
use crate::limits::{MAX_KEYS, MAX_POLICY_BYTES};

/// What is required of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Requirement {
    /// Nothing.
    #[default]
    Accept,
    /// It is never pulled.
    Reject,
    /// A signature by one of the keys.
    Signed {
        /// Their files.
        keys: Vec<PathBuf>,
    },
}

impl Requirement {
    /// The word in the file.
    pub fn word(&self) -> &'static str {
        match self {
            Requirement::Accept => "accept",
            Requirement::Reject => "reject",
            Requirement::Signed { .. } => "signed",
        }
    }

    /// The files of its keys.
    pub fn keys(&self) -> &[PathBuf] {
        match self {
            Requirement::Signed { keys } => keys,
            _ => &[],
        }
    }

    /// The requirement that the word and keys say.
    ///
    /// # Errors
    /// Another word; keys without use, or none where one is needed; a relative path.
    pub fn new(word: &str, keys: Vec<PathBuf>) -> Result<Requirement, Error> {
        let bad = |value: &str, reason| Error::InvalidPolicy {
            what: "requirement",
            value: value.to_owned(),
            reason,
        };
        for key in &keys {
            let text = key.to_string_lossy();
            if !key.is_absolute() || key.to_str().is_none() || text.chars().any(char::is_control) {
                return Err(Error::InvalidPolicy {
                    what: "key",
                    value: text.chars().filter(|c| !c.is_control()).collect(),
                    reason: "it is not the absolute path of a file, without control characters",
                });
            }
        }
        match word {
            "signed" if keys.is_empty() => Err(bad(word, "it has no key")),
            "signed" if keys.len() > MAX_KEYS => Err(bad(word, "it has too many keys")),
            "signed" => Ok(Requirement::Signed { keys }),
            "accept" | "reject" if !keys.is_empty() => Err(bad(word, "only `signed` has keys")),
            "accept" => Ok(Requirement::Accept),
            "reject" => Ok(Requirement::Reject),
            _ => Err(bad(word, "it is `accept`, `reject` or `signed`")),
        }
    }
}

/// A registry, or a registry and the first parts of a repository's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    domain: String,
    path: Option<String>,
}

impl FromStr for Prefix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Prefix, Error> {
        let bad = |reason| Error::InvalidPolicy {
            what: "prefix",
            value: text.chars().filter(|c| !c.is_control()).take(200).collect(),
            reason,
        };
        let (domain, path) = match text.split_once('/') {
            Some((domain, path)) => (domain, Some(path)),
            None => (text, None),
        };
        check_domain(domain).map_err(bad)?;
        path.map_or(Ok(()), check_path).map_err(bad)?;
        // A reference never has this as its registry, so the policy would silently be for nothing.
        let upper = domain.bytes().any(|b| b.is_ascii_uppercase());
        if domain != "localhost" && !domain.contains(['.', ':']) && !upper {
            return Err(bad("it does not begin with a registry"));
        }
        if domain == "index.docker.io" {
            return Err(bad("this registry's name is `docker.io`"));
        }
        Ok(Prefix {
            domain: domain.to_owned(),
            path: path.map(str::to_owned),
        })
    }
}

impl Prefix {
    fn covers(&self, reference: &Reference) -> bool {
        let path = reference.path();
        same_domain(&self.domain, reference.domain())
            && self.path.as_deref().is_none_or(|prefix| {
                let rest = path.strip_prefix(prefix);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    }

    fn is_same(&self, other: &Prefix) -> bool {
        same_domain(&self.domain, &other.domain) && self.path == other.path
    }

    fn length(&self) -> usize {
        self.path.as_ref().map_or(0, |path| path.len() + 1)
    }
}

/// Two spellings of a registry's name lead to the same registry.
fn same_domain(a: &str, b: &str) -> bool {
    let bare = |text: &str| {
        text.strip_suffix(":443")
            .unwrap_or(text)
            .to_ascii_lowercase()
    };
    bare(a) == bare(b)
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.domain)?;
        match &self.path {
            Some(path) => write!(f, "/{path}"),
            None => Ok(()),
        }
    }
}

/// What is required of the images whose names begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How their names begin.
    pub prefix: Prefix,
    /// What is required.
    pub require: Requirement,
}

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    default: Requirement,
    policies: Vec<Policy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    keys: Vec<PathBuf>,
    #[serde(default)]
    policy: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    prefix: String,
    require: String,
    #[serde(default)]
    keys: Vec<PathBuf>,
}

impl Policies {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// Not TOML, unknown keys or words, a prefix that is none or has two policies.
    pub fn parse(text: &str) -> Result<Policies, Error> {
        if text.len() as u64 > MAX_POLICY_BYTES {
            return Err(Error::InvalidPolicy {
                what: "file",
                value: format!("{} bytes", text.len()),
                reason: "it is too large",
            });
        }
        let file: File = toml::from_str(text).map_err(|source| Error::ParsePolicies {
            source: Box::new(source),
        })?;
        let mut policies = Policies {
            default: Requirement::new(file.default.as_deref().unwrap_or("accept"), file.keys)?,
            policies: Vec::new(),
        };
        for entry in file.policy {
            let policy = Policy {
                prefix: entry.prefix.parse()?,
                require: Requirement::new(&entry.require, entry.keys)?,
            };
            if policies
                .policies
                .iter()
                .any(|p| p.prefix.is_same(&policy.prefix))
            {
                return Err(Error::InvalidPolicy {
                    what: "prefix",
                    value: entry.prefix,
                    reason: "it has two policies",
                });
            }
            policies.policies.push(policy);
        }
        Ok(policies)
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        let mut text = format!("default = {}\n", quoted(self.default.word()));
        keys(&self.default, &mut text);
        for policy in &self.policies {
            text.push_str(&format!(
                "\n[[policy]]\nprefix = {}\nrequire = {}\n",
                quoted(&policy.prefix.to_string()),
                quoted(policy.require.word()),
            ));
            keys(&policy.require, &mut text);
        }
        text
    }

    /// What is required of `reference`, and the prefix that says so; `None`: the default does.
    pub fn of(&self, reference: &Reference) -> (Option<&Prefix>, &Requirement) {
        let fitting = self.policies.iter().filter(|p| p.prefix.covers(reference));
        match fitting.max_by_key(|policy| policy.prefix.length()) {
            Some(policy) => (Some(&policy.prefix), &policy.require),
            None => (None, &self.default),
        }
    }

    /// What is required where no policy fits.
    pub fn default_requirement(&self) -> &Requirement {
        &self.default
    }

    /// The policies, as the file has them.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The same with another default.
    #[must_use]
    pub fn with_default(self, default: Requirement) -> Policies {
        Policies { default, ..self }
    }

    /// The same with this policy, in place of any that the prefix had.
    #[must_use]
    pub fn with(mut self, policy: Policy) -> Policies {
        match self
            .policies
            .iter_mut()
            .find(|p| p.prefix.is_same(&policy.prefix))
        {
            Some(old) => *old = policy,
            None => self.policies.push(policy),
        }
        self
    }

    /// The same without the prefix's policy; `None`: it has none.
    #[must_use]
    pub fn without(mut self, prefix: &Prefix) -> Option<Policies> {
        let at = self
            .policies
            .iter()
            .position(|p| p.prefix.is_same(prefix))?;
        self.policies.remove(at);
        Some(self)
    }
}

fn keys(requirement: &Requirement, text: &mut String) {
    if let Requirement::Signed { keys } = requirement {
        let keys: Vec<String> = keys
            .iter()
            .map(|key| quoted(&key.to_string_lossy()))
            .collect();
        text.push_str(&format!("keys = [{}]\n", keys.join(", ")));
    }
}

/// A string of TOML; what would need more escapes was refused before.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
