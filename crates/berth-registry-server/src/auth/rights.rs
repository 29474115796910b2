//! Who may do what where: the `[[access]]` entries of the configuration.
//!
//! An entry is for the repositories below its prefix, as whole parts: `team` is for `team` and `team/app`, not for
//! `teams`. The entries of the longest prefix that fits a repository decide alone, so that a part of an open registry
//! can be closed; several entries with that prefix add up. Who has logged in may do what anybody may.

use crate::access::Rights;
use crate::name::is_below;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// How the repositories' names begin; empty: all.
    pub prefix: String,
    /// Names, or `*`: whoever has logged in.
    pub users: Vec<String>,
    /// What those may.
    pub allow: Rights,
    /// What anybody may.
    pub anonymous: Rights,
}

/// All entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table(Vec<Entry>);

impl Default for Table {
    /// Who has logged in may do all.
    fn default() -> Table {
        Table(vec![Entry {
            users: vec!["*".into()],
            allow: Rights::ALL,
            ..Entry::default()
        }])
    }
}

impl Table {
    /// Of these; none at all is the default.
    pub fn new(entries: Vec<Entry>) -> Table {
        match entries.is_empty() {
            true => Table::default(),
            false => Table(entries),
        }
    }

    /// What `user` (`None`: anybody) may do in `repository`.
    pub fn of(&self, user: Option<&str>, repository: &str) -> Rights {
        let fits = |entry: &&Entry| is_below(&entry.prefix, repository);
        let longest = self.0.iter().filter(fits).map(|e| e.prefix.len()).max();
        let decide = |entry: &&Entry| fits(entry) && Some(entry.prefix.len()) == longest;
        self.0
            .iter()
            .filter(decide)
            .map(|entry| entry.rights(user))
            .fold(Rights::NONE, plus)
    }

    /// Whether `user` may pull anything from anywhere.
    pub fn may_pull_somewhere(&self, user: Option<&str>) -> bool {
        self.0.iter().any(|entry| entry.rights(user).pull)
    }
}

impl Entry {
    fn rights(&self, user: Option<&str>) -> Rights {
        let named = |name: &str| self.users.iter().any(|u| u == "*" || u == name);
        match user {
            Some(name) if named(name) => plus(self.allow, self.anonymous),
            _ => self.anonymous,
        }
    }
}

/// What one of both allows.
pub fn plus(a: Rights, b: Rights) -> Rights {
    Rights {
        pull: a.pull || b.pull,
        push: a.push || b.push,
        delete: a.delete || b.delete,
    }
}

/// What both allow.
pub fn both(a: Rights, b: Rights) -> Rights {
    Rights {
        pull: a.pull && b.pull,
        push: a.push && b.push,
        delete: a.delete && b.delete,
    }
}

/// Whether `granted` has all of `needed`.
pub fn suffices(granted: Rights, needed: Rights) -> bool {
    both(granted, needed) == needed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(prefix: &str, users: &[&str], allow: Rights, anonymous: Rights) -> Entry {
        Entry {
            prefix: prefix.into(),
            users: users.iter().map(|&u| u.into()).collect(),
            allow,
            anonymous,
        }
    }

    #[test]
    fn the_longest_prefix_decides() {
        let table = Table::new(vec![
            entry("", &["admin"], Rights::ALL, Rights::PULL),
            entry("team", &["alice"], Rights::PUSH, Rights::NONE),
            entry("team", &["*"], Rights::PULL, Rights::NONE),
            entry(
                "team/secret",
                &["alice", "admin"],
                Rights::PULL,
                Rights::NONE,
            ),
        ]);
        for (user, repository, want) in [
            (None, "public/x", Rights::PULL),
            (Some("bob"), "public/x", Rights::PULL),
            (Some("admin"), "public/x", Rights::ALL),
            (None, "team", Rights::NONE),
            (None, "teams/x", Rights::PULL),
            (Some("alice"), "team/app", Rights::PUSH),
            (Some("bob"), "team/app", Rights::PULL),
            // Another prefix than the one that names him.
            (Some("admin"), "team/app", Rights::PULL),
            (Some("alice"), "team/secret/a", Rights::PULL),
            (Some("bob"), "team/secret", Rights::NONE),
            (None, "team/secret", Rights::NONE),
        ] {
            assert_eq!(table.of(user, repository), want, "{user:?} {repository}");
        }
        assert!(table.may_pull_somewhere(None));
    }

    #[test]
    fn without_entries_a_login_is_enough() {
        let table = Table::new(Vec::new());
        assert_eq!(table.of(Some("anybody"), "a/b"), Rights::ALL);
        assert_eq!(table.of(None, "a/b"), Rights::NONE);
        assert!(!table.may_pull_somewhere(None) && table.may_pull_somewhere(Some("u")));
    }

    #[test]
    fn rights_are_sets() {
        assert!(suffices(Rights::ALL, Rights::DELETE) && suffices(Rights::PULL, Rights::NONE));
        assert!(!suffices(Rights::PULL, Rights::PUSH) && !suffices(Rights::PUSH, Rights::DELETE));
        assert_eq!(both(Rights::ALL, Rights::PULL), Rights::PULL);
    }
}
