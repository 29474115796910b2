//! Scopes: what a token shall be good for, `repository:team/app:pull,push`.
//!
//! Source: distribution specification's "Token Scope Documentation": `type[(class)]:name:action[,action…]`, several
//! divided by spaces; a name may hold `:` itself.

use serde::{Deserialize, Serialize};

use crate::access::{Needed, Rights, Scope};

/// Entries of one token.
pub const MAX_ENTRIES: usize = 64;
/// Bytes of all scopes of a request.
const MAX_BYTES: usize = 8 << 10;

/// What a token is good for in one place, as it also stands in a token's `access` claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of the repository; `catalog`.
    pub name: String,
    /// `pull`, `push`, `delete`, `*`.
    #[serde(default)]
    pub actions: Vec<String>,
}

/// Reads scopes; `None`: one is not of the form, or they are too many.
pub fn parse(text: &str) -> Option<Vec<Grant>> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let words = text.split(' ').filter(|word| !word.is_empty());
    let grants: Option<Vec<Grant>> = words.map(one).collect();
    grants.filter(|grants| grants.len() <= MAX_ENTRIES)
}

fn one(text: &str) -> Option<Grant> {
    let (kind, rest) = text.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    // The class was for plugins; the place is the same.
    let kind = kind.split_once('(').map_or(kind, |(kind, _)| kind);
    if kind.is_empty() || name.is_empty() || text.chars().any(char::is_control) {
        return None;
    }
    let actions = actions.split(',').filter(|action| !action.is_empty());
    Some(Grant {
        kind: kind.to_owned(),
        name: name.to_owned(),
        actions: actions.map(str::to_owned).collect(),
    })
}

impl Grant {
    /// The rights of its actions.
    pub fn rights(&self) -> Rights {
        let has = |action: &str| self.actions.iter().any(|a| a == action || a == "*");
        Rights {
            pull: has("pull"),
            push: has("push"),
            delete: has("delete"),
        }
    }

    /// Of the repository `name`.
    pub fn repository(name: &str, rights: Rights) -> Grant {
        Grant {
            kind: "repository".into(),
            name: name.to_owned(),
            actions: words(rights).map(str::to_owned).collect(),
        }
    }

    /// Of the list of repositories.
    pub fn catalog() -> Grant {
        Grant {
            kind: "registry".into(),
            name: "catalog".into(),
            actions: vec!["*".into()],
        }
    }

    /// Whether it is for the list of repositories.
    pub fn is_catalog(&self) -> bool {
        let listed = |action: &String| matches!(&action[..], "*" | "pull");
        self.kind == "registry" && self.name == "catalog" && self.actions.iter().any(listed)
    }

    /// Whether it is for the repository `name`.
    pub fn is_for(&self, name: &str) -> bool {
        self.kind == "repository" && self.name == name
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

/// The scope that a request needs, as a challenge names it; `None`: nothing in particular.
pub fn needed(needed: &Needed<'_>) -> Option<Grant> {
    match needed.scope {
        Scope::Registry => None,
        Scope::Catalog => Some(Grant::catalog()),
        Scope::Repository(name) => Some(Grant::repository(name.as_str(), needed.rights)),
    }
}

fn words(rights: Rights) -> impl Iterator<Item = &'static str> {
    let all = [
        (rights.pull, "pull"),
        (rights.push, "push"),
        (rights.delete, "delete"),
    ];
    all.into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Option<String> {
        let all: Vec<String> = parse(text)?.iter().map(Grant::to_string).collect();
        Some(all.join(" "))
    }

    #[test]
    fn scopes_are_read() {
        for (text, want) in [
            ("", ""),
            ("repository:a/b:pull", "repository:a/b:pull"),
            (
                "repository:a/b:pull,push  registry:catalog:*",
                "repository:a/b:pull,push registry:catalog:*",
            ),
            ("repository(plugin):a:pull", "repository:a:pull"),
            ("repository:host:5000/a:pull", "repository:host:5000/a:pull"),
            ("repository:a:", "repository:a:"),
            ("x:y:z", "x:y:z"),
        ] {
            assert_eq!(written(text).as_deref(), Some(want), "{text}");
        }
        for bad in [
            "repository",
            "repository:a",
            "::",
            ":a:pull",
            "repository::pull",
            "a:b:c\u{7}",
        ] {
            assert_eq!(written(bad), None, "{bad}");
        }
        let many = |count: usize| "repository:a:pull ".repeat(count);
        assert!(parse(&many(MAX_ENTRIES)).is_some() && parse(&many(MAX_ENTRIES + 1)).is_none());
        assert!(parse(&"a".repeat(MAX_BYTES + 1)).is_none());
    }

    #[test]
    fn actions_are_rights() {
        let rights = |text: &str| parse(text).unwrap()[0].rights();
        assert_eq!(rights("repository:a:pull,push"), Rights::PUSH);
        assert_eq!(rights("repository:a:delete"), Rights::DELETE);
        assert!(rights("repository:a:*").delete);
        assert_eq!(rights("repository:a:PULL,x"), Rights::NONE);
        let grant = Grant::repository("a/b", Rights::PUSH);
        assert_eq!(grant.to_string(), "repository:a/b:pull,push");
        assert!(grant.is_for("a/b") && !grant.is_for("a") && !grant.is_catalog());
        assert!(Grant::catalog().is_catalog());
    }
}
