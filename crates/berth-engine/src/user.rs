//! `user[:group]` → numbers, by the container's own `/etc/passwd` and `/etc/group`.
//!
//! All digits are a number, never a name, and a number that does not fit is an error (security: R8, R20). The
//! files are the image's: bounded, and a line that makes no sense is passed over (R21).
//!
//! Source: Docker's `USER`; passwd(5), group(5).

/// More than any honest `/etc/passwd` or `/etc/group` (security: R21).
pub const MAX_BYTES: usize = 1 << 20;

/// Numbers that a process can have: 2³²−1 means "unchanged" to the kernel, and above 2³¹−1 some programs stumble.
const MAX_ID: u64 = i32::MAX as u64;

/// Who a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, the primary one included (security: R19), ascending.
    pub groups: Vec<u32>,
    /// Home directory, `/` when unknown.
    pub home: String,
}

impl Default for Account {
    fn default() -> Self {
        Account {
            uid: 0,
            gid: 0,
            groups: vec![0],
            home: "/".to_owned(),
        }
    }
}

/// Why there is no such account.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The number is too large or not one.
    #[error("`{text}` is not between 0 and 2147483647")]
    Number {
        /// As given.
        text: String,
    },
    /// No such user inside.
    #[error("the container has no user `{name}`")]
    NoUser {
        /// As given.
        name: String,
    },
    /// No such group inside.
    #[error("the container has no group `{name}`")]
    NoGroup {
        /// As given.
        name: String,
    },
}

impl Error {
    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Number { .. } => None,
            _ => Some("give a number, or a name from its /etc/passwd or /etc/group".to_owned()),
        }
    }
}

struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// The account that `asked` means; empty: root. A missing file has no entries.
///
/// # Errors
/// [`Error`].
pub fn resolve(asked: &str, passwd: Option<&[u8]>, group: Option<&[u8]>) -> Result<Account, Error> {
    let passwd = String::from_utf8_lossy(passwd.unwrap_or_default());
    let group = String::from_utf8_lossy(group.unwrap_or_default());
    let (user, wanted_group) = match asked.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (asked, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = number(user)?;
    let entry = passwd.lines().filter_map(entry).find(|entry| match number {
        Some(uid) => entry.uid == uid,
        None => entry.name == user,
    });
    let uid = match (number, &entry) {
        (Some(uid), _) => uid,
        (None, Some(entry)) => entry.uid,
        (None, None) => {
            return Err(Error::NoUser {
                name: user.to_owned(),
            });
        }
    };
    let mut groups = Vec::new();
    let gid = match wanted_group {
        Some(wanted) => group_id(wanted, &group)?,
        None => {
            // A group that was given replaces the user's other groups, as Docker has it.
            if let Some(entry) = &entry {
                groups = member_of(entry.name, &group);
            }
            entry.as_ref().map_or(0, |entry| entry.gid)
        }
    };
    groups.push(gid);
    groups.sort_unstable();
    groups.dedup();
    let home = entry.map_or("/", |entry| entry.home);
    // A line break in a variable would be the image's way into files made from it.
    let home = if home.is_empty() || home.contains(char::is_control) {
        "/"
    } else {
        home
    };
    Ok(Account {
        uid,
        gid,
        groups,
        home: home.to_owned(),
    })
}

/// The numbers of groups, by name or number.
///
/// # Errors
/// [`Error`].
pub fn groups(asked: &[String], group: Option<&[u8]>) -> Result<Vec<u32>, Error> {
    let group = String::from_utf8_lossy(group.unwrap_or_default());
    asked.iter().map(|name| group_id(name, &group)).collect()
}

/// `None`: a name.
fn number(text: &str) -> Result<Option<u32>, Error> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let bad = || Error::Number {
        text: text.to_owned(),
    };
    match text.parse::<u64>() {
        Ok(id) if id <= MAX_ID && digits == text => u32::try_from(id).map(Some).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let fields: Vec<&str> = line.split(':').collect();
    Some(Entry {
        name: Some(*fields.first()?).filter(|name| !name.is_empty())?,
        uid: id(fields.get(2)?)?,
        gid: id(fields.get(3)?)?,
        home: fields.get(5).copied().unwrap_or_default(),
    })
}

fn id(text: &str) -> Option<u32> {
    text.parse::<u64>()
        .ok()
        .filter(|id| *id <= MAX_ID)?
        .try_into()
        .ok()
}

fn group_id(wanted: &str, group: &str) -> Result<u32, Error> {
    if let Some(gid) = number(wanted)? {
        return Ok(gid);
    }
    let mut found = group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (*fields.first()? == wanted).then(|| id(fields.get(2)?))?
    });
    found.next().ok_or_else(|| Error::NoGroup {
        name: wanted.to_owned(),
    })
}

/// More groups than setgroups(2) takes are not read.
const MAX_GROUPS: usize = 65_536;

fn member_of(user: &str, group: &str) -> Vec<u32> {
    let member = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let listed = fields
            .get(3)?
            .split(',')
            .any(|member| member.trim() == user);
        listed.then(|| id(fields.get(2)?))?
    };
    group.lines().filter_map(member).take(MAX_GROUPS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
        broken\n\
        web:x:33:34::/srv:/bin/sh\n\
        1000:x:0:0::/:/bin/sh\n\
        4294967296:x:0:0::/:/bin/sh\n\
        huge:x:4294967296:0::/:/bin/sh\n";
    const GROUP: &[u8] = b"root:x:0:\nweb:x:34:\nlog:x:50:root, web\nmail:x:51:web\n";

    fn ask(text: &str) -> Result<Account, Error> {
        resolve(text, Some(PASSWD), Some(GROUP))
    }

    fn account(uid: u32, gid: u32, groups: &[u32], home: &str) -> Account {
        Account {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.into(),
        }
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(ask(""), Ok(account(0, 0, &[0, 50], "/root")));
        assert_eq!(ask("web"), Ok(account(33, 34, &[34, 50, 51], "/srv")));
        assert_eq!(ask("33"), ask("web"));
        assert_eq!(ask("web:log"), Ok(account(33, 50, &[50], "/srv")));
        assert_eq!(ask("7:8"), Ok(account(7, 8, &[8], "/")));
        assert_eq!(resolve("5", None, None), Ok(account(5, 0, &[0], "/")));
        assert!(matches!(ask("nobody"), Err(Error::NoUser { .. })));
        assert!(matches!(ask("web:nobody"), Err(Error::NoGroup { .. })));
        assert!(matches!(ask("huge"), Err(Error::NoUser { .. })));
    }

    #[test]
    fn added_groups() {
        let ask = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            groups(&names, Some(GROUP))
        };
        assert_eq!(ask(&["log", "7"]), Ok(vec![50, 7]));
        assert!(matches!(ask(&["nobody"]), Err(Error::NoGroup { .. })));
        assert!(matches!(ask(&["-1"]), Err(Error::Number { .. })));
    }

    /// R8, R20: digits are never looked up as a name, and never wrap around to root.
    #[test]
    fn digits_are_numbers() {
        assert_eq!(ask("1000").map(|account| account.uid), Ok(1000));
        for bad in [
            "4294967296",
            "4294967295",
            "2147483648",
            "-1",
            "+1",
            "4294967295:0",
            "0:-1",
        ] {
            assert!(matches!(ask(bad), Err(Error::Number { .. })), "{bad}");
        }
    }

    /// R21.
    #[test]
    fn many_members_are_read_quickly() {
        let mut group = String::from("big:x:60:");
        while group.len() < MAX_BYTES {
            group.push_str("nobody,");
        }
        group.push_str("web");
        let found = resolve("web", Some(PASSWD), Some(group.as_bytes())).unwrap();
        assert_eq!(found.groups, [34, 60]);
    }
}
