//! The tree as YAML or JSON, in the schema's order of keys.
//!
//! Source: how Go's yaml package writes: two spaces, lists indented, quotes only where they are needed.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::node::{Entry, Map, Node, Value};
use crate::shape::Shape;
use crate::{schema, yaml};

/// The project as YAML.
pub fn to_yaml(project: &Node) -> String {
    let mut out = String::new();
    block(&mut out, &Ordered::file(project), 0, false);
    out
}

/// The project as JSON, with two spaces and a last line break.
pub fn to_json(project: &Node) -> String {
    let mut out = serde_json::to_string_pretty(&Ordered::file(project))
        .expect("texts, numbers, lists and maps become JSON");
    out.push('\n');
    out
}

/// A value as one line of JSON, keys by their letters: what is hashed and compared.
pub(crate) fn json(node: &Node) -> String {
    serde_json::to_string(node).expect("texts, numbers, lists and maps become JSON")
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Ordered {
            node: self,
            shape: &Shape::Anything,
        }
        .serialize(serializer)
    }
}

/// A value that knows its keys' order.
struct Ordered<'a> {
    node: &'a Node,
    shape: &'static Shape,
}

impl<'a> Ordered<'a> {
    fn file(node: &'a Node) -> Ordered<'a> {
        Ordered {
            node,
            shape: schema::FILE.of(node),
        }
    }

    fn entries(&self, map: &'a Map) -> Vec<(&'a str, Ordered<'a>)> {
        let child = |(name, entry): (&'a String, &'a Entry)| {
            let shape = self.shape.key(name).of(&entry.node);
            let node = &entry.node;
            (name.as_str(), Ordered { node, shape })
        };
        let mut entries: Vec<_> = map.iter().map(child).collect();
        if let Shape::Struct(known) = self.shape {
            // Those of the user's own come last.
            entries.sort_by_cached_key(|(name, _)| known.position(name).unwrap_or(usize::MAX));
        }
        entries
    }

    fn item(&self, node: &'a Node) -> Ordered<'a> {
        let shape = self.shape.item().of(node);
        Ordered { node, shape }
    }
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.node.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
                serializer.serialize_i64(*value as i64)
            }
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(list) => serializer.collect_seq(list.iter().map(|node| self.item(node))),
            Value::Map(map) => {
                let entries = self.entries(map);
                let mut out = serializer.serialize_map(Some(entries.len()))?;
                for (name, value) in entries {
                    out.serialize_entry(name, &value)?;
                }
                out.end()
            }
        }
    }
}

/// A map or list below a key, each line with its indentation and break. `begun`: the first line's indentation is
/// there, since it stands behind a dash.
fn block(out: &mut String, value: &Ordered<'_>, indent: usize, begun: bool) {
    let mut begun = begun;
    let mut begin = |out: &mut String| {
        if !std::mem::take(&mut begun) {
            pad(out, indent);
        }
    };
    match &value.node.value {
        Value::Map(map) if !map.is_empty() => {
            for (name, value) in value.entries(map) {
                begin(out);
                scalar_text(out, name, indent, false);
                out.push(':');
                behind_key(out, &value, indent);
            }
        }
        Value::List(list) if !list.is_empty() => {
            for item in list {
                let item = value.item(item);
                begin(out);
                out.push_str("- ");
                if is_block(item.node) {
                    block(out, &item, indent + 2, true);
                } else {
                    scalar(out, item.node, indent + 2);
                    out.push('\n');
                }
            }
        }
        _ => {
            scalar(out, value.node, indent);
            out.push('\n');
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn behind_key(out: &mut String, value: &Ordered<'_>, indent: usize) {
    if is_block(value.node) {
        out.push('\n');
        block(out, value, indent + 2, false);
    } else {
        out.push(' ');
        scalar(out, value.node, indent + 2);
        out.push('\n');
    }
}

fn is_block(node: &Node) -> bool {
    match &node.value {
        Value::Map(map) => !map.is_empty(),
        Value::List(list) => !list.is_empty(),
        _ => false,
    }
}

fn scalar(out: &mut String, node: &Node, indent: usize) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Map(_) => out.push_str("{}"),
        Value::List(_) => out.push_str("[]"),
        Value::Float(value) if value.is_nan() => out.push_str(".nan"),
        Value::Float(value) if value.is_infinite() => {
            out.push_str(if *value > 0.0 { ".inf" } else { "-.inf" });
        }
        Value::Text(text) => scalar_text(out, text, indent, true),
        _ => out.push_str(&node.scalar_text().unwrap_or_default()),
    }
}

/// A text, in the simplest way that reads back as this text.
fn scalar_text(out: &mut String, text: &str, indent: usize, may_break: bool) {
    let is_printable = |c: char| {
        c == '\n'
            || c == '\t'
            || !(c.is_control() || matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}'))
    };
    if !text.chars().all(is_printable) {
        return double_quoted(out, text);
    }
    if text.contains('\n') {
        return match may_break && can_be_literal(text) {
            true => literal(out, text, indent),
            false => double_quoted(out, text),
        };
    }
    if yaml::resolve(text).is_some() || is_old(text) {
        return double_quoted(out, text);
    }
    match can_be_plain(text) {
        true => out.push_str(text),
        false => {
            out.push('\'');
            out.push_str(&text.replace('\'', "''"));
            out.push('\'');
        }
    }
}

/// What readers of YAML 1.1 take for something else: truth values, numbers of base 60, `1_000`, dates, merge keys.
fn is_old(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "<<", "=",
    ];
    if text.len() <= 5 && WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && text.contains(|c: char| c.is_ascii_digit())
        && (text
            .bytes()
            .all(|b| b.is_ascii_digit() || b"_.:+-eE".contains(&b))
            || is_date(text))
        && !text.starts_with("..")
        && (!text.contains('.')
            || text.parse::<f64>().is_ok()
            || text.contains(':')
            || is_date(text))
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && text[5..].starts_with(|c: char| c.is_ascii_digit())
}

fn can_be_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let second_blank = text[first.len_utf8()..]
        .chars()
        .next()
        .is_none_or(|c| c == ' ');
    let begins = match first {
        '-' | '?' | ':' => !second_blank,
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' | ' ' | '\t' => false,
        _ => true,
    };
    begins
        && !text.ends_with([' ', ':', '\t'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains('\t')
        && !text.starts_with("---")
        && !text.starts_with("...")
}

/// A block of lines needs lines that do not end in blanks, and a first one that does not begin with them.
fn can_be_literal(text: &str) -> bool {
    !text.starts_with([' ', '\n', '\t'])
        && !text.lines().any(|line| line.ends_with([' ', '\t']))
        && !text.contains('\t')
}

fn literal(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let breaks = text.len() - body.len();
    out.push('|');
    match breaks {
        0 => out.push('-'),
        1 => {}
        _ => out.push('+'),
    }
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
    (1..breaks).for_each(|_| out.push('\n'));
}

fn double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                let _ = write!(out, "\\x{:02X}", c as u32);
            }
            '\u{80}'..='\u{9f}' | '\u{feff}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
