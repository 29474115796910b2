//! Device rules for the v1 controller.
//!
//! The specification's rules are a list in which the last match decides. The v1 controller keeps
//! one default and a set of exceptions to it, and edits the set at each write; so the list is
//! first reduced to a default and exceptions, then written in as few writes as that takes.
//!
//! Source: Documentation/admin-guide/cgroup-v1/devices.rst.

use std::os::fd::AsFd;

use berth_oci::spec::DeviceRule;

use crate::apply::Apply;
use crate::device_program;
use crate::dir::Dir;
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

/// Puts the rules in force: by the v1 controller, or by a program on the unified leaf.
///
/// # Errors
/// A rule that makes no sense, or cannot be kept; the kernel's.
pub(crate) fn apply(apply: &mut Apply<'_>, rules: &[DeviceRule]) -> Result<()> {
    let cgroup = apply.cgroup;
    // An ordinary user's container makes no device nodes, and uses only those that its user may.
    if rules.is_empty() || apply.options.rootless {
        return Ok(());
    }
    match (cgroup.v1_of("devices", "devices.deny"), cgroup.unified()) {
        (Some(dir), _) => {
            let writes = match apply.is_update() {
                true => Set::of(rules)?.since(&Set::in_force(dir)?),
                false => v1_writes(rules)?,
            };
            writes
                .iter()
                .try_for_each(|(file, value)| dir.write(file, value))
        }
        (None, Some(dir)) => device_program::attach(dir.as_fd(), &dir.path, rules),
        (None, None) => Ok(()),
    }
}

/// The writes, as (file, value), that make a v1 cgroup obey the rules, whatever it has now.
///
/// # Errors
/// A rule that makes no sense, or a list that a default with exceptions cannot express.
pub(crate) fn v1_writes(rules: &[DeviceRule]) -> Result<Writes> {
    Set::of(rules).map(|set| set.afresh())
}

/// What the v1 controller keeps.
#[derive(Debug, Default, PartialEq, Eq)]
struct Set {
    default_allow: bool,
    exceptions: Exceptions,
}

pub(crate) type Writes = Vec<(&'static str, String)>;

impl Set {
    /// Reduces a list. What no rule decides is denied, as by v2's program.
    fn of(rules: &[DeviceRule]) -> Result<Set> {
        let mut set = Set::default();
        for rule in rules {
            let rule = Rule::check(rule)?;
            if rule.is_everything() {
                set.default_allow = rule.allow;
                set.exceptions.clear();
                continue;
            }
            for kind in rule.kind.map_or(vec![b'b', b'c'], |k| vec![k]) {
                let key = (kind, rule.major, rule.minor);
                if rule.allow == set.default_allow {
                    retract(&mut set.exceptions, key, rule.access)?;
                } else {
                    match set.exceptions.iter_mut().find(|(held, _)| *held == key) {
                        Some((_, bits)) => *bits |= rule.access,
                        None => set.exceptions.push((key, rule.access)),
                    }
                }
            }
        }
        set.merge();
        Ok(set)
    }

    /// The kernel wants one exception that gives all of an access: `1:3 r` gets the `w` of `1:* w`. The
    /// making of a node is asked for alone.
    fn merge(&mut self) {
        let all = self.exceptions.clone();
        for (key, bits) in &mut self.exceptions {
            let wider = all.iter().filter(|(other, _)| covers(*other, *key));
            *bits = wider.fold(*bits, |bits, (_, more)| bits | (more & !access::MKNOD));
        }
    }

    /// What a used cgroup has. In a set that allows by default the kernel shows no exceptions.
    fn in_force(dir: &Dir) -> Result<Set> {
        let text = dir.read("devices.list")?;
        let mut set = Set::default();
        for line in text.lines() {
            match parse(line) {
                None => set.default_allow = true,
                Some(exception) => set.exceptions.push(exception),
            }
        }
        Ok(set)
    }

    /// The writes that make a cgroup obey, whatever it has now.
    fn afresh(&self) -> Writes {
        let (reset, except) = if self.default_allow {
            ("devices.allow", "devices.deny")
        } else {
            ("devices.deny", "devices.allow")
        };
        let mut writes = vec![(reset, "a".to_owned())];
        writes.extend(self.exceptions.iter().map(|e| (except, line(e.0, e.1))));
        writes
    }

    /// The writes from what is in force to this: nothing that both allow is denied in between.
    fn since(&self, now: &Set) -> Writes {
        if self.default_allow || now.default_allow {
            return self.afresh();
        }
        let of = |set: &Set, key| {
            let found = set.exceptions.iter().find(|(k, _)| *k == key);
            found.map_or(0, |(_, bits)| *bits)
        };
        let difference = |from: &Set, to: &Set, file| -> Writes {
            from.exceptions
                .iter()
                .map(|(key, bits)| (*key, bits & !of(to, *key)))
                .filter(|(_, bits)| *bits != 0)
                .map(|(key, bits)| (file, line(key, bits)))
                .collect()
        };
        // Denying `1:* w` leaves `1:3 w` alone: the kernel edits equal exceptions only.
        let mut writes = difference(now, self, "devices.deny");
        writes.extend(difference(self, now, "devices.allow"));
        writes
    }
}

fn covers(wide: Key, key: Key) -> bool {
    let part = |wide: Option<u32>, narrow: Option<u32>| wide.is_none() || wide == narrow;
    wide.0 == key.0 && part(wide.1, key.1) && part(wide.2, key.2)
}

/// `c 1:3 rwm`; `None` for `a *:* rwm`.
fn parse(line: &str) -> Option<(Key, u32)> {
    let mut words = line.split([' ', ':']);
    let kind = words.next()?.bytes().next().filter(|kind| *kind != b'a')?;
    let (major, minor) = (words.next()?.parse().ok(), words.next()?.parse().ok());
    let bits = words.next()?.chars().fold(0, |bits, letter| {
        bits | match letter {
            'r' => access::READ,
            'w' => access::WRITE,
            _ => access::MKNOD,
        }
    });
    Some(((kind, major, minor), bits))
}

/// A rule that agrees with the default takes back what exceptions it covers.
fn retract(exceptions: &mut Exceptions, rule: Key, bits: u32) -> Result<()> {
    let meets = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
    for (key, held) in exceptions.iter_mut() {
        if key.0 != rule.0 || *held & bits == 0 {
            continue;
        }
        if covers(rule, *key) {
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
        let writes = Set::of(&rules).unwrap().afresh();
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
        assert_eq!(Set::of(&rules).unwrap().afresh()[1].1, "c 1:3 r");
        let hole = [
            rule(false, "a", -1, -1, "rwm"),
            rule(true, "c", 1, -1, "rw"),
            rule(false, "c", 1, 3, "w"),
        ];
        assert!(Set::of(&hole).is_err());
    }

    #[test]
    fn what_no_rule_decides_is_denied() {
        let writes = Set::of(&[rule(true, "c", 1, 3, "r")]).unwrap().afresh();
        assert_eq!(writes[0], ("devices.deny", "a".to_owned()));
        assert_eq!(writes[1].1, "c 1:3 r");
    }

    #[test]
    fn a_wildcards_access_is_its_devices_too() {
        let rules = [rule(true, "c", 1, 3, "r"), rule(true, "c", 1, -1, "w")];
        let writes = Set::of(&rules).unwrap().afresh();
        assert_eq!(writes[1].1, "c 1:3 rw");
        assert_eq!(writes[2].1, "c 1:* w");
    }

    #[test]
    fn an_update_denies_nothing_that_stays() {
        let now = Set::of(&[rule(true, "c", 1, 3, "rw"), rule(true, "c", 1, 5, "r")]).unwrap();
        let then = Set::of(&[rule(true, "c", 1, 3, "rm"), rule(true, "b", 8, -1, "r")]).unwrap();
        let expected = [
            ("devices.deny", "c 1:3 w"),
            ("devices.deny", "c 1:5 r"),
            ("devices.allow", "c 1:3 m"),
            ("devices.allow", "b 8:* r"),
        ];
        assert_eq!(then.since(&now), expected.map(|(f, v)| (f, v.to_owned())));
        assert_eq!(then.since(&then), []);
        let all = Set::of(&[rule(true, "a", -1, -1, "rwm")]).unwrap();
        assert_eq!(then.since(&all)[0].1, "a");
        for line in ["c 1:3 rwm", "b 8:* r", "c *:* m"] {
            let (key, bits) = parse(line).unwrap();
            assert_eq!(self::line(key, bits), line);
        }
        assert_eq!(parse("a *:* rwm"), None);
    }

    #[test]
    fn all_devices() {
        assert_eq!(
            Set::of(&[rule(true, "a", -1, -1, "rwm")]).unwrap().afresh(),
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
            assert!(Set::of(&[bad]).is_err());
        }
    }
}
