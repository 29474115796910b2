//! Users and the bcrypt hashes of their passwords: a file as Apache's `htpasswd -B` makes it, read again when it has
//! changed.
//!
//! ```text
//! # a comment
//! alice:$2y$12$<salt: 22 characters><hash: 31 characters>
//! ```
//! Other kinds of hash (MD5, SHA-1, crypt) can be guessed too quickly, and are refused.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use crate::setup::Error;
use berth_serve::files::read_text;

/// Bytes of the file: 100,000 users.
const MAX_BYTES: u64 = 8 << 20;
/// What `htpasswd -C` knows; each more doubles the time, and 31 would be days.
const MAX_COST: u32 = 17;
const MIN_COST: u32 = 4;
/// Of whoever is in no file.
const DEFAULT_COST: u32 = 12;
/// Two bits of the salt's last character say nothing, and some programs leave them set.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

/// A password's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hash {
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

/// Why a line is none; without what stands in it, which may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// No `name:hash`.
    Line,
    /// A hash of another kind.
    Kind,
    /// Not of the form that bcrypt has.
    Form,
    /// It would take too long, or not long enough.
    Cost,
}

impl Bad {
    /// For a person.
    pub fn reason(self) -> &'static str {
        match self {
            Bad::Line => "it is not `name:hash`",
            Bad::Kind => "its hash is not of bcrypt",
            Bad::Form => "its hash is damaged",
            Bad::Cost => "its hash has a cost outside of 4 to 17",
        }
    }
}

/// Reads one line; `Ok(None)`: an empty one, or a comment.
///
/// # Errors
/// What is wrong with it.
pub fn parse_line(line: &str) -> Result<Option<(&str, Hash)>, Bad> {
    let line = line.trim_end_matches(['\r', '\n', ' ', '\t']);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (user, hash) = line.split_once(':').ok_or(Bad::Line)?;
    if user.is_empty() || user.chars().any(char::is_control) {
        return Err(Bad::Line);
    }
    Ok(Some((user, Hash::parse(hash)?)))
}

impl Hash {
    fn parse(text: &str) -> Result<Hash, Bad> {
        let kinds = ["$2a$", "$2b$", "$2y$"];
        let rest = kinds.iter().find_map(|kind| text.strip_prefix(kind));
        let rest = rest.ok_or(Bad::Kind)?;
        let (cost, rest) = rest.split_once('$').ok_or(Bad::Form)?;
        let two_digits = cost.len() == 2 && cost.bytes().all(|b| b.is_ascii_digit());
        if !two_digits || rest.len() != 53 || !rest.is_ascii() {
            return Err(Bad::Form);
        }
        let cost: u32 = cost.parse().map_err(|_| Bad::Form)?;
        if !(MIN_COST..=MAX_COST).contains(&cost) {
            return Err(Bad::Cost);
        }
        let (salt, hash) = rest.split_at(22);
        let decode = |text: &str| BASE64.decode(text).map_err(|_| Bad::Form);
        Ok(Hash {
            cost,
            salt: decode(salt)?.try_into().map_err(|_| Bad::Form)?,
            hash: decode(hash)?.try_into().map_err(|_| Bad::Form)?,
        })
    }

    /// Bytes that are different for each hash.
    pub fn bytes(&self) -> [u8; 39] {
        let mut bytes = [0; 39];
        bytes[..16].copy_from_slice(&self.salt);
        bytes[16..].copy_from_slice(&self.hash);
        bytes
    }
}

/// The file's content.
#[derive(Debug, Default)]
pub struct Users {
    hashes: HashMap<String, Hash>,
    /// The highest that a user has.
    cost: u32,
}

impl Users {
    /// Reads the text of the file; an error has the number of the line that is none.
    ///
    /// # Errors
    /// A line that is none.
    pub fn parse(text: &str) -> Result<Users, (usize, Bad)> {
        let mut users = Users::default();
        for (i, line) in text.lines().enumerate() {
            if let Some((user, hash)) = parse_line(line).map_err(|bad| (i + 1, bad))? {
                users.cost = users.cost.max(hash.cost);
                // Of two lines, the first is what Apache takes.
                users.hashes.entry(user.to_owned()).or_insert(hash);
            }
        }
        if users.cost == 0 {
            users.cost = DEFAULT_COST;
        }
        Ok(users)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It is absent, too large or not text; a line that is none.
    pub(crate) fn load(path: &Path) -> Result<Users, Error> {
        let text = read_text(path, "the file of users", MAX_BYTES)?;
        Users::parse(&text).map_err(|(line, bad)| Error::BadUser {
            path: path.to_owned(),
            line,
            reason: bad.reason(),
        })
    }

    /// The hash of `user`, if it is one.
    pub fn get(&self, user: &str) -> Option<&Hash> {
        self.hashes.get(user)
    }

    /// Whether `hash` is that of `password`; takes as long for each hash, and as long for `None`: time must not tell
    /// who is a user (security: G7). What hashes of less cost save is spent for nothing: 2^c + 2^c + 2^(c+1) + … =
    /// 2^max.
    pub fn verify(&self, hash: Option<&Hash>, password: &str) -> bool {
        let (cost, salt, spent_from) = match hash {
            Some(hash) => (hash.cost, hash.salt, hash.cost),
            None => (self.cost, [0; 16], self.cost),
        };
        let computed = compute(cost, salt, password);
        for cost in spent_from..self.cost {
            std::hint::black_box(compute(cost, salt, password));
        }
        let expected = hash.map_or([0; 23], |hash| hash.hash);
        let equal = aws_lc_rs::constant_time::verify_slices_are_equal(&computed, &expected);
        hash.is_some() && equal.is_ok()
    }
}

/// As all implementations: 72 bytes count, and a final NUL if there is room for it.
fn compute(cost: u32, salt: [u8; 16], password: &str) -> [u8; 23] {
    let mut bytes = zeroize::Zeroizing::new([0; 72]);
    let length = password.len().min(72);
    bytes[..length].copy_from_slice(&password.as_bytes()[..length]);
    let computed = bcrypt::bcrypt(cost, salt, &bytes[..(length + 1).min(72)]);
    let mut hash = [0; 23];
    hash.copy_from_slice(&computed[..23]);
    hash
}

#[cfg(test)]
mod tests;
