//! Parsers of option values, as docker's users write them: pure functions from text to plain data.
//! An `Err` is one sentence for the user; clap puts the option's name before it.

pub mod content_trust;
pub mod device;
pub mod env;
pub mod mount;
pub mod network;
pub mod number;
pub mod security;
pub mod subnets;
pub mod ulimit;

use std::path::Path;

use berth_docker::Filters;
use berth_engine::spec::ALL_CAPABILITIES;

use crate::ui::diagnostic::{ENGINE, Failure};

/// What a parser says about a value that makes no sense.
pub type Parsed<T> = Result<T, String>;

/// `KEY=VALUE`, the key not empty.
pub fn annotation(text: &str) -> Parsed<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not KEY=VALUE")),
    }
}

/// A value with the text that the user wrote for it, which `explain` shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked<T> {
    /// The value.
    pub value: T,
    text: String,
}

impl<T> std::fmt::Display for Asked<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Makes a parser keep the text.
pub fn asked<T: 'static>(
    parse: fn(&str) -> Parsed<T>,
) -> impl Fn(&str) -> Parsed<Asked<T>> + Clone + Send + Sync + 'static {
    move |text| {
        parse(text).map(|value| Asked {
            value,
            text: text.to_owned(),
        })
    }
}

/// A longer file is surely not meant.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads the text of a file that an option names.
pub fn read(path: &Path) -> Parsed<String> {
    let failed =
        |cause: &dyn std::fmt::Display| format!("cannot read `{}`: {cause}", path.display());
    let size = std::fs::metadata(path).map_err(|e| failed(&e))?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed(&"it is larger than 4 MiB"));
    }
    let bytes = std::fs::read(path).map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|_| failed(&"it is not UTF-8"))
}

/// `KEY=value` or `KEY` (empty value), as `--label` takes it.
pub fn label(text: &str) -> Parsed<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.trim().is_empty() {
        return Err(format!("`{text}` has no label name"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// A capability in any of the usual spellings → `CAP_X` or `ALL`.
pub fn capability(text: &str) -> Parsed<String> {
    let upper = text.trim().to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if bare == "ALL" {
        return Ok("ALL".into());
    }
    let name = format!("CAP_{bare}");
    if ALL_CAPABILITIES.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(format!("`{text}` is not a capability"))
}

/// What a list is narrowed by.
///
/// # Errors
/// A text is not `key=value` (as for any flag, docker's exit code is 125), or its key is unknown.
pub fn filters(texts: &[String], known: &[&str]) -> Result<Filters, Failure> {
    Filters::parse(texts, known).map_err(|why| match texts.iter().all(|text| text.contains('=')) {
        true => Failure::new(why),
        false => Failure::new(why).code(ENGINE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_may_lack_a_value() {
        assert_eq!(label("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(label("a"), Ok(("a".into(), String::new())));
        assert!(label("=b").is_err());
    }

    #[test]
    fn capabilities_in_any_spelling() {
        for text in ["net_admin", "NET_ADMIN", "cap_net_admin", "CAP_NET_ADMIN"] {
            assert_eq!(capability(text), Ok("CAP_NET_ADMIN".into()));
        }
        assert_eq!(capability("all"), Ok("ALL".into()));
        assert!(capability("net").is_err());
        assert!(capability("").is_err());
    }
}
