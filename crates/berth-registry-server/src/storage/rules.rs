//! Rules of repositories, by prefix of their names: what may not be moved, how much they may hold, what is kept.

use std::time::Duration;

use crate::name::{RepositoryName, Tag, is_below};

/// The rules of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// For which repositories: this one, and all below it. Empty: all.
    pub prefix: String,
    /// Patterns (`*`, `?`) of tags that are never moved or removed.
    pub immutable: Vec<String>,
    /// Bytes that all repositories with the prefix may hold together; content in two of them counts twice.
    pub quota_bytes: Option<u64>,
    /// What is kept.
    pub retain: Retain,
}

/// What collectors keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retain {
    /// Manifests that no tag leads to are removed after so long; `None`: never.
    pub untagged: Option<Duration>,
    /// Of the tags that match, the newest only.
    pub tags: Vec<KeepTags>,
    /// What a tag has named last, so many manifests: they are kept for a rollback.
    pub rollback: usize,
    /// Lines of a tag's history.
    pub history: usize,
    /// The history of a removed tag is kept so long.
    pub removed: Duration,
}

/// Of the tags that match, the newest only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepTags {
    /// `*` and `?`.
    pub pattern: String,
    /// How many.
    pub newest: usize,
}

impl Default for Retain {
    fn default() -> Retain {
        Retain {
            untagged: None,
            tags: Vec::new(),
            rollback: 5,
            history: 1000,
            removed: Duration::from_secs(90 * 24 * 3600),
        }
    }
}

impl Rules {
    /// Whether the tag may not be moved nor removed.
    pub fn is_immutable(&self, tag: &Tag) -> bool {
        self.immutable
            .iter()
            .any(|pattern| matches(pattern, tag.as_str()))
    }
}

/// All rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleSet(pub Vec<Rules>);

impl RuleSet {
    /// Those of the longest prefix.
    pub fn of(&self, name: &RepositoryName) -> Rules {
        let fitting = self
            .0
            .iter()
            .filter(|rules| is_below(&rules.prefix, name.as_str()));
        fitting
            .max_by_key(|rules| rules.prefix.len())
            .cloned()
            .unwrap_or_default()
    }
}

/// Whether `text` matches; `*` is any characters, `?` is one. Takes time in proportion to both lengths' product at
/// most.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` was, and the text that it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, end)) => {
                    star = Some((at, end + 1));
                    p = at + 1;
                    t = end + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Reads `90s`, `15m`, `12h`, `30d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 24 * 3600,
        _ => return None,
    };
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(unit)?))
}
