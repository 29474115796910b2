//! The environment of a process: the spec's, each name once, and a HOME, which programs expect and those who write
//! configurations leave to the runtime. Also text in the form that an exec takes.
//!
//! Source: config.md "Process", `env`; passwd(5).

use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;

use berth_sys::process::Strings;
use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::error::{Error, Result, invalid};

/// Where programs are searched when the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Bytes of an `/etc/passwd` that are looked at: the image's author made it (security: R21).
const MAX_PASSWD: u64 = 1 << 20;

/// An environment, checked.
#[derive(Debug)]
pub struct Environment {
    variables: Vec<CString>,
    /// Directories to look for the program in.
    pub path: String,
    has_home: bool,
}

impl Environment {
    /// Of what is given twice the last counts, as with other runtimes.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`]: text without a name.
    pub fn new(env: &[String]) -> Result<Environment> {
        let mut kept: Vec<(&str, &str)> = Vec::with_capacity(env.len());
        for pair in env.iter().rev() {
            let Some((name, _)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
                return invalid(format!("process.env: `{pair}` is not NAME=VALUE"));
            };
            // An empty HOME is as good as none.
            if pair != "HOME=" && !kept.iter().any(|(known, _)| *known == name) {
                kept.push((name, pair));
            }
        }
        let value = |wanted: &str| {
            let found = kept.iter().find(|(name, _)| *name == wanted);
            found.map(|(name, pair)| &pair[name.len() + 1..])
        };
        Ok(Environment {
            path: value("PATH").unwrap_or(DEFAULT_PATH).to_owned(),
            has_home: value("HOME").is_some(),
            variables: kept
                .iter()
                .rev()
                .map(|(_, pair)| c_string(pair))
                .collect::<Result<_>>()?,
        })
    }

    /// All of it, for a process that is in the container and about to be `uid`.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`].
    pub fn for_user(&self, uid: u32) -> Result<Vec<CString>> {
        let mut all = self.variables.clone();
        if !self.has_home {
            let passwd = read_passwd().unwrap_or_default();
            let home = home_of(&passwd, uid).unwrap_or("/");
            all.push(c_string(&format!("HOME={home}"))?);
        }
        Ok(all)
    }
}

/// None, or one that is no plain file, is as good as an empty one.
fn read_passwd() -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, "/etc/passwd", flags, Mode::empty()).ok()?;
    let mode = rustix::fs::fstat(&file).ok()?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::RegularFile {
        return None;
    }
    let mut bytes = Vec::new();
    let mut file = File::from(file).take(MAX_PASSWD);
    file.read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `NAME:PASSWORD:UID:GID:GECOS:HOME:SHELL`.
fn home_of(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let own = fields.nth(2)?.parse::<u32>().ok()? == uid;
        fields.nth(2).filter(|home| own && !home.is_empty())
    })
}

/// A list for an exec.
///
/// # Errors
/// [`Error::InvalidSpec`].
pub(crate) fn strings(list: &[String]) -> Result<Strings> {
    let all = list.iter().map(|text| c_string(text));
    all.collect::<Result<_>>().map(Strings::new)
}

/// Text for an exec.
///
/// # Errors
/// [`Error::InvalidSpec`].
pub(crate) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::InvalidSpec {
        reason: "a NUL byte in an argument".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(env: &[&str]) -> Result<Environment> {
        let env: Vec<String> = env.iter().map(|p| (*p).to_owned()).collect();
        Environment::new(&env)
    }

    #[test]
    fn each_name_is_there_once() {
        let env = of(&["A=1", "PATH=/x", "B=", "A=2=3", "HOME=", "PATH=/y"]).unwrap();
        let texts: Vec<_> = env.variables.iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(texts, ["B=", "A=2=3", "PATH=/y"]);
        assert_eq!((env.path.as_str(), env.has_home), ("/y", false));
        assert!(of(&["HOME=/h"]).unwrap().has_home);
        assert_eq!(of(&[]).unwrap().path, DEFAULT_PATH);
        for bad in ["A", "=1", ""] {
            assert!(of(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_home_is_the_users_own() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nbad\n:::::\na:x:5:5::/a\nb:x:5:5::/b:\nc:x:6:6:::";
        for (uid, home) in [(0, Some("/root")), (5, Some("/a")), (6, None), (7, None)] {
            assert_eq!(home_of(passwd, uid), home, "{uid}");
        }
    }
}
