//! Device rules for the v1 controller.
//!
//! The specification's rules are a list in which the last match decides. The v1 controller keeps
//! one default and a set of exceptions to it, and edits the set at each write; so the list is
//! first reduced to a default and exceptions, then written in as few writes as that takes.
//!
//! Source: Documentation/admin-guide/cgroup-v1/devices.rst.

use berth_oci::spec::DeviceRule;

use crate::error::{Error, Result};

/// Read, write, make a node: one bit each, with the numbers of eBPF's `BPF_DEVCG_ACC_*`.
pub(crate) mod access {
    pub(crate) const MKNOD: u32 = 1;
    pub(crate) const READ: u32 = 2;
    pub(crate) const WRITE: u32 = 4;
    pub(crate) const ALL: u32 = 7;
}

/// A rule, checked. `None` is "any".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    pub(crate) allow: bool,
    /// `b'c'` or `b'b'`.
    pub(crate) kind: Option<u8>,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
    pub(crate) access: u32,
}

impl Rule {
    /// Checks a rule of the specification.
    pub(crate) fn check(rule: &DeviceRule) -> Result<Rule> {
        let bad = |value: String, why| Error::BadValue {
            setting: "devices",
            value,
            why,
        };
        let kind = match rule.kind.as_deref() {
            None | Some("" | "a") => None,
            Some("c" | "u") => Some(b'c'),
            Some("b") => Some(b'b'),
            Some(other) => return Err(bad(other.into(), "the type is a, b, c or u")),
        };
        let number = |n: Option<i64>| match n {
            None | Some(-1) => Ok(None),
            Some(n) => u32::try_from(n)
                .map(Some)
                .map_err(|_| bad(n.to_string(), "it is no device number")),
        };
        let mut bits = 0;
        for letter in rule.access.as_deref().unwrap_or("rwm").chars() {
            bits |= match letter {
                'r' => access::READ,
                'w' => access::WRITE,
                'm' => access::MKNOD,
                _ => return Err(bad(letter.to_string(), "access is made of r, w and m")),
            };
        }
        if bits == 0 {
            bits = access::ALL;
        }
        Ok(Rule {
            allow: rule.allow,
            kind,
            major: number(rule.major)?,
            minor: number(rule.minor)?,
            access: bits,
        })
    }

    fn is_everything(&self) -> bool {
        self.kind.is_none()
            && self.major.is_none()
            && self.minor.is_none()
            && self.access == access::ALL
    }
}

/// Kind, major, minor of an exception.
type Key = (u8, Option<u32>, Option<u32>);

/// Exceptions and what they give, in the order of the rules: `devices.list` shows that order.
type Exceptions = Vec<(Key, u32)>;

/// The writes, as (file, value), that make a fresh or used v1 devices cgroup obey the rules.
///
/// # Errors
/// A rule that makes no sense, or a list that a default with exceptions cannot express.
pub(crate) fn v1_writes(rules: &[DeviceRule]) -> Result<Vec<(&'static str, String)>> {
    let mut default_allow = true;
    let mut exceptions = Exceptions::new();
    for rule in rules {
        let rule = Rule::check(rule)?;
        if rule.is_everything() {
            default_allow = rule.allow;
            exceptions.clear();
            continue;
        }
        for kind in rule.kind.map_or(vec![b'b', b'c'], |k| vec![k]) {
            let key = (kind, rule.major, rule.minor);
            if rule.allow == default_allow {
                retract(&mut exceptions, key, rule.access)?;
            } else {
                match exceptions.iter_mut().find(|(held, _)| *held == key) {
                    Some((_, bits)) => *bits |= rule.access,
                    None => exceptions.push((key, rule.access)),
                }
            }
        }
    }
    let (reset, except) = if default_allow {
        ("devices.allow", "devices.deny")
    } else {
        ("devices.deny", "devices.allow")
    };
    let mut writes = vec![(reset, "a".to_owned())];
    writes.extend(
        exceptions
            .into_iter()
            .map(|(key, bits)| (except, line(key, bits))),
    );
    Ok(writes)
}

/// A rule that agrees with the default takes back what exceptions it covers.
fn retract(exceptions: &mut Exceptions, rule: Key, bits: u32) -> Result<()> {
    let covers = |rule: Option<u32>, other: Option<u32>| rule.is_none() || rule == other;
    let meets = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
    for (key, held) in exceptions.iter_mut() {
        if key.0 != rule.0 || *held & bits == 0 {
            continue;
        }
        if covers(rule.1, key.1) && covers(rule.2, key.2) {
            *held &= !bits;
        } else if meets(rule.1, key.1) && meets(rule.2, key.2) {
            return Err(Error::BadValue {
                setting: "devices",
                value: line(rule, bits),
                why: "cgroup v1 cannot take one device out of a range that an earlier rule gave",
            });
        }
    }
    exceptions.retain(|(_, held)| *held != 0);
    Ok(())
}

/// `c 1:3 rwm`.
fn line((kind, major, minor): Key, bits: u32) -> String {
    let number = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
    let mut text = format!("{} {}:{} ", kind as char, number(major), number(minor));
    for (bit, letter) in [
        (access::READ, 'r'),
        (access::WRITE, 'w'),
        (access::MKNOD, 'm'),
    ] {
        if bits & bit != 0 {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allow: bool, kind: &str, major: i64, minor: i64, access: &str) -> DeviceRule {
        DeviceRule {
            allow,
            kind: Some(kind.into()),
            major: Some(major),
            minor: Some(minor),
            access: Some(access.into()),
        }
    }

    #[test]
    fn deny_all_then_some() {
        let all = DeviceRule {
            allow: false,
            access: Some("rwm".into()),
            ..DeviceRule::default()
        };
        let rules = [
            all,
            rule(true, "c", 1, 3, "rw"),
            rule(true, "c", 1, 3, "m"),
            rule(true, "b", 8, -1, "r"),
        ];
        let writes = v1_writes(&rules).unwrap();
        let expected = [
            ("devices.deny", "a"),
            ("devices.allow", "c 1:3 rwm"),
            ("devices.allow", "b 8:* r"),
        ];
        assert_eq!(writes, expected.map(|(f, v)| (f, v.to_owned())));
    }

    #[test]
    fn the_last_match_decides() {
        let rules = [
            rule(false, "a", -1, -1, "rwm"),
            rule(true, "c", 1, 3, "rw"),
            rule(false, "c", 1, -1, "w"),
        ];
        assert_eq!(v1_writes(&rules).unwrap()[1].1, "c 1:3 r");
        let hole = [
            rule(false, "a", -1, -1, "rwm"),
            rule(true, "c", 1, -1, "rw"),
            rule(false, "c", 1, 3, "w"),
        ];
        assert!(v1_writes(&hole).is_err());
    }

    #[test]
    fn all_devices() {
        assert_eq!(
            v1_writes(&[rule(true, "a", -1, -1, "rwm")]).unwrap(),
            [("devices.allow", "a".to_owned())]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            rule(true, "x", 1, 3, "r"),
            rule(true, "c", -2, 3, "r"),
            rule(true, "c", 1, 3, "rx"),
        ] {
            assert!(v1_writes(&[bad]).is_err());
        }
    }
}
