//! Lays an explanation out for people: one table a subject, values and causes in columns.

use std::fmt::Write as _;

use super::{Explanation, Group, INHERITED, Row};
use crate::logs::print::steers;

/// Columns of a value before it is broken.
const VALUE_WIDTH: usize = 68;

impl Explanation {
    /// As text, with a line break at its end.
    pub fn render_text(&self) -> String {
        let mut out = String::new();
        let state = match self.pid {
            Some(pid) => format!("{}, process {pid} on the host", self.status),
            None => format!(
                "{}, not running: the kernel knows nothing of it",
                self.status
            ),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{} ({}), {state}",
            self.name,
            &self.id[..self.id.len().min(12)]
        );
        let _ = writeln!(out, "image {}", self.image);
        for group in &self.groups {
            out.push('\n');
            table(group, &mut out);
        }
        out
    }
}

fn table(group: &Group, out: &mut String) {
    let shown: Vec<(&Row, Vec<String>)> = group
        .rows
        .iter()
        .filter(|row| row.cause != INHERITED || group.rows.len() < 10)
        .map(|row| (row, wrap(&short(&row.value))))
        .collect();
    let hidden = group.rows.len() - shown.len();
    let names = shown
        .iter()
        .map(|(row, _)| width(&row.name))
        .max()
        .unwrap_or(0);
    let values = shown
        .iter()
        .flat_map(|(_, lines)| lines.iter().map(|l| width(l)))
        .max()
        .unwrap_or(0);
    let values = values.min(VALUE_WIDTH);
    let from = if group.source.is_empty() {
        String::new()
    } else {
        format!("  [{}]", short(&group.source))
    };
    let _ = writeln!(out, "{}{from}", group.title.to_uppercase());
    for (row, lines) in &shown {
        for (at, line) in lines.iter().enumerate() {
            let name = if at == 0 { row.name.as_str() } else { "" };
            let cause = if at == 0 { row.cause.as_str() } else { "" };
            let text = format!(
                "  {}  {}  {cause}",
                padded(name, names),
                padded(line, values)
            );
            let _ = writeln!(out, "{}", text.trim_end());
        }
    }
    if hidden > 0 {
        let _ = writeln!(
            out,
            "  … and {hidden} more, {INHERITED} from whoever started the container"
        );
    }
}

/// Ids and digests as people know them: of 64 hexadecimal digits in a row the first twelve.
fn short(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let taken = if digits == 0 {
            first.len_utf8()
        } else {
            digits
        };
        let (head, tail) = rest.split_at(taken);
        out.push_str(if digits == 64 { &head[..12] } else { head });
        if digits == 64 {
            out.push('…');
        }
        rest = tail;
    }
    out
}

/// A mount's name is the container's word.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn padded(text: &str, columns: usize) -> String {
    format!("{:<columns$}", clean(text))
}

/// Breaks at spaces; a word longer than a line stays whole.
fn wrap(text: &str) -> Vec<String> {
    if width(text) <= VALUE_WIDTH {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if lines[last].is_empty() {
            lines[last] = word.to_owned();
        } else if width(&lines[last]) + 1 + width(word) <= VALUE_WIDTH {
            lines[last].push(' ');
            lines[last].push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
