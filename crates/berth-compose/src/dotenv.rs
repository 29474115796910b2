//! Files of variables: `.env`, `--env-file`, a service's `env_file`.
//!
//! ```text
//! # words
//! export NAME=value $OTHER    # words
//! NAME: value
//! NAME='as it is'
//! NAME="a\nb ${OTHER:-x}
//! over lines"
//! INHERITED
//! ```
//! With `raw`, a line is a name, `=` and all that follows.
//!
//! Source: the Compose Specification, "Env_file format".

use std::collections::BTreeMap;

use crate::interpolate::{self, Fault};

/// Why a file of variables makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// From 1.
    pub line: u32,
    pub text: String,
}

/// Reads a file over `values`, which earlier files set. `outside`: the variables around, which win over the file's
/// where it refers to some, and which a name alone takes.
pub(crate) fn parse(
    text: &str,
    outside: &dyn Fn(&str) -> Option<String>,
    values: &mut BTreeMap<String, String>,
    missed: &mut dyn FnMut(&str),
) -> Result<(), Wrong> {
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n");
    let (mut rest, mut line) = (text.as_str(), 1);
    loop {
        let start = rest.trim_start();
        line += breaks(&rest[..rest.len() - start.len()]);
        rest = start;
        if rest.is_empty() {
            return Ok(());
        }
        let begun = line;
        let wrong = |text: String| Wrong { line: begun, text };
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
            line += 1;
            continue;
        }
        let (name, sign, behind) = name(rest).map_err(wrong)?;
        if !sign {
            if let Some(value) = outside(name) {
                values.insert(name.to_owned(), value);
            }
            rest = behind;
            continue;
        }
        let (raw, is_literal, behind) = value(behind).map_err(wrong)?;
        line += breaks(&rest[..rest.len() - behind.len()]);
        rest = behind;
        let value = match is_literal {
            true => raw,
            false => {
                let look = |name: &str| outside(name).or_else(|| values.get(name).cloned());
                interpolate::replace(&raw, &look, missed).map_err(|fault| wrong(says(fault)))?
            }
        };
        values.insert(name.to_owned(), value);
    }
}

/// Reads a file of lines `NAME=value` that mean what they say.
pub(crate) fn parse_raw(
    text: &str,
    outside: &dyn Fn(&str) -> Option<String>,
    values: &mut BTreeMap<String, String>,
) -> Result<(), Wrong> {
    for (n, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (name, value) = match trimmed.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (trimmed.trim_end(), outside(trimmed.trim_end())),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(Wrong {
                line: n as u32 + 1,
                text: format!("`{name}` is no name of a variable"),
            });
        }
        if let Some(value) = value {
            values.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

pub(crate) fn says(fault: Fault) -> String {
    match fault {
        Fault::Form(text) => text,
        Fault::Required { name, why } if why.is_empty() => {
            format!("required variable {name} is missing a value")
        }
        Fault::Required { name, why } => {
            format!("required variable {name} is missing a value: {why}")
        }
        Fault::TooLarge => "its variables make it too large".to_owned(),
    }
}

fn breaks(text: &str) -> u32 {
    text.bytes().filter(|b| *b == b'\n').count() as u32
}

/// A name, whether a value follows, and what is behind.
fn name(text: &str) -> Result<(&str, bool, &str), String> {
    let text = match text.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start_matches([' ', '\t']),
        _ => text,
    };
    let line = text.split('\n').next().unwrap_or_default();
    let end = line.find(['=', ':']).unwrap_or(line.len());
    let name = line[..end].trim_end();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!("`{name}` is no name of a variable"));
    }
    match end < line.len() {
        true => Ok((name, true, text[end + 1..].trim_start_matches([' ', '\t']))),
        false => Ok((name, false, &text[end..])),
    }
}

/// A value, whether it is as it is, and what is behind.
fn value(text: &str) -> Result<(String, bool, &str), String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let Some(quote) = quote else {
        let (line, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
        let line = match line.starts_with('#') {
            true => "",
            false => line.split(" #").next().unwrap_or_default(),
        };
        return Ok((line.trim_end().to_owned(), false, rest));
    };
    let (mut out, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices().skip(1) {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, c) if c == quote => {
                let rest = &text[at + 1..];
                let tail = rest.split('\n').next().unwrap_or_default();
                let words = tail.trim_start();
                if !words.is_empty() && !words.starts_with('#') {
                    return Err(format!(
                        "`{}` stands behind the closing quote",
                        words.trim_end()
                    ));
                }
                return Ok((out, quote == '\'', &rest[tail.len()..]));
            }
            (false, c) => out.push(c),
            (true, c) => {
                escaped = false;
                match (quote, c) {
                    ('\'', '\'') => out.push('\''),
                    ('\'', c) => out.extend(['\\', c]),
                    (_, 'n') => out.push('\n'),
                    (_, 'r') => out.push('\r'),
                    (_, 't') => out.push('\t'),
                    (_, '"' | '\\') => out.push(c),
                    // Still a variable's sign for what comes next: doubled, it is none.
                    (_, '$') => out.push_str("$$"),
                    (_, c) => out.extend(['\\', c]),
                }
            }
        }
    }
    Err(format!("the quote {quote} is not closed"))
}

#[cfg(test)]
mod tests;
