//! YAML text becomes a tree: anchors are followed, `<<` is merged, `!reset` and `!override` are kept.
//!
//! A key stands once in a map. Scalars are read as YAML 1.2's core schema says, and `0644` is octal as in 1.1, which
//! file modes mean: `yes`, `on` and `22:22` are texts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag as YamlTag};

use crate::limits;
use crate::node::{Entry, Map, Node, Place, Tag, Value};

/// Why a text is no YAML of ours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub at: Place,
    pub text: String,
    pub hint: Option<String>,
}

fn fault<T>(at: Place, text: impl Into<String>, hint: &str) -> Result<T, Fault> {
    Err(Fault {
        at,
        text: text.into(),
        hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()),
    })
}

/// Reads the documents of a file. `left`: how many values the project may still have.
pub(crate) fn parse(text: &str, file: u32, left: &mut usize) -> Result<Vec<Node>, Fault> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)),
        file,
        left,
        anchors: BTreeMap::new(),
    };
    let mut documents = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) => reader.anchors.clear(),
            event => documents.push(reader.node(event, span, 0)?),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    file: u32,
    left: &'a mut usize,
    /// By number: the value, and how many values it is made of.
    anchors: BTreeMap<usize, (Node, usize)>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.scan(&error)),
            None => fault(Place::default(), "the file ends too early", ""),
        }
    }

    fn scan(&self, error: &ScanError) -> Fault {
        let marker = error.marker();
        Fault {
            at: self.place(marker.line(), marker.col()),
            text: format!("not YAML: {}", error.info()),
            hint: Some("look at the indentation, and quote texts with `: ` or ` #` in them".into()),
        }
    }

    fn place(&self, line: usize, column: usize) -> Place {
        Place {
            file: self.file,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }

    fn spend(&mut self, count: usize, at: Place) -> Result<(), Fault> {
        match self.left.checked_sub(count) {
            Some(left) => {
                *self.left = left;
                Ok(())
            }
            None => fault(
                at,
                format!("more than {} values", limits::NODES),
                "aliases multiply what they stand for: use fewer",
            ),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Fault> {
        let at = self.place(span.start.line(), span.start.col());
        if depth > limits::DEPTH {
            return fault(at, format!("deeper than {} levels", limits::DEPTH), "");
        }
        let before = *self.left;
        self.spend(1, at)?;
        let (node, anchor) = match event {
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    return fault(at, "an alias inside of what it stands for", "");
                };
                self.spend(size, at)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref();
                (scalar(text, style, tag, at)?, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let mut node = Node::new(at, Value::List(self.list(depth)?));
                node.tag = ours(tag.as_deref(), "seq", at)?;
                (node, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                let mut node = Node::new(at, Value::Map(self.mapping(depth)?));
                node.tag = ours(tag.as_deref(), "map", at)?;
                (node, anchor)
            }
            _ => return fault(at, "not YAML: a value is missing", ""),
        };
        if anchor > 0 {
            self.anchors
                .insert(anchor, (node.clone(), before - *self.left));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(list),
                (event, span) => list.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Map, Fault> {
        let mut entries = Vec::new();
        let mut below = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let at = self.place(span.start.line(), span.start.col());
            let (key, is_plain) = match event {
                Event::MappingEnd => break,
                Event::Scalar(key, style, _, _) => (key, style == ScalarStyle::Plain),
                Event::Alias(_) => match self.node(event, span, depth)?.scalar_text() {
                    Some(key) => (key.into(), false),
                    None => return fault(at, "a key that is no text", ""),
                },
                _ => return fault(at, "a key that is no text", ""),
            };
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            if is_plain && key == "<<" {
                below.push((at, node));
                continue;
            }
            entries.push((key.into_owned(), Entry { at, node }));
        }
        let mut map = match Map::of_distinct(entries) {
            Ok(map) => map,
            Err((first, second, key)) => {
                let text = format!("`{key}` stands here twice");
                let hint = format!("it is in line {}, too: keep one", first.at.line);
                return fault(second.at, text, &hint);
            }
        };
        for (at, node) in below {
            lay_below(&mut map, node, at)?;
        }
        Ok(map)
    }
}

/// `<<: *a` or `<<: [*a, *b]`: what the map has itself stays, and the first of several wins.
fn lay_below(map: &mut Map, node: Node, at: Place) -> Result<(), Fault> {
    match node.value {
        Value::Map(below) => {
            let own = std::mem::replace(map, below);
            map.extend(own);
            Ok(())
        }
        Value::List(list) if list.iter().all(|item| item.as_map().is_some()) => {
            for item in list {
                lay_below(map, item, at)?;
            }
            Ok(())
        }
        _ => fault(
            at,
            "`<<` takes a map, or a list of maps",
            "write `<<: *anchor`",
        ),
    }
}

/// The tag of a list or map.
fn ours(tag: Option<&YamlTag>, core: &str, at: Place) -> Result<Tag, Fault> {
    match tag {
        None => Ok(Tag::None),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == core => Ok(Tag::None),
        Some(tag) => match (tag.handle.as_str(), tag.suffix.as_str()) {
            ("!" | "", "reset" | "!reset") => Ok(Tag::Reset),
            ("!" | "", "override" | "!override") => Ok(Tag::Override),
            ("!", "") | ("", "!") => Ok(Tag::None),
            _ => fault(
                at,
                format!("unknown tag `{}{}`", tag.handle, tag.suffix),
                "there are !reset and !override",
            ),
        },
    }
}

fn scalar(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&YamlTag>,
    at: Place,
) -> Result<Node, Fault> {
    let mut node = Node::new(at, Value::Null);
    let core = tag.filter(|tag| tag.is_yaml_core_schema());
    node.value = match core.map(|tag| tag.suffix.as_str()) {
        Some("str") => Value::Text(text.into_owned()),
        Some("null") => Value::Null,
        Some(wanted @ ("int" | "float" | "bool")) => match (resolve(&text), wanted) {
            (Some(Value::Int(value)), "float") => Value::Float(value as f64),
            (Some(value @ Value::Int(_)), "int") => value,
            (Some(value @ Value::Float(_)), "float") => value,
            (Some(value @ Value::Bool(_)), "bool") => value,
            _ => return fault(at, format!("`{text}` is no {wanted}"), ""),
        },
        _ => {
            node.tag = ours(tag, "str", at)?;
            // `! 1`: a text, says the specification.
            let is_open = tag.is_none_or(|tag| {
                node.tag != Tag::None || !tag.suffix.is_empty() && tag.suffix != "!"
            });
            let is_plain = style == ScalarStyle::Plain && is_open;
            let value = if is_plain { resolve(&text) } else { None };
            value.unwrap_or_else(|| Value::Text(text.into_owned()))
        }
    };
    Ok(node)
}

/// What a scalar without quotes is; `None`: a text.
///
/// Source: YAML 1.2.2 "10.3.2 Tag Resolution"; YAML 1.1's octal numbers.
pub(crate) fn resolve(text: &str) -> Option<Value> {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        _ => return number(text),
    };
    Some(value)
}

fn number(text: &str) -> Option<Value> {
    let first = *text.as_bytes().first()?;
    if !first.is_ascii_digit() && !matches!(first, b'-' | b'+' | b'.') {
        return None;
    }
    if let Some(value) = integer(text) {
        return Some(Value::Int(value));
    }
    let fits = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    if !text.bytes().all(fits) || !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = text.parse::<f64>().ok()?;
    value.is_finite().then_some(Value::Float(value))
}

fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match digits {
        "0" => ("0", 10),
        _ => match (digits.get(..2), digits.strip_prefix('0')) {
            (Some("0x" | "0X"), _) => (&digits[2..], 16),
            (Some("0o"), _) => (&digits[2..], 8),
            (Some("0b"), _) => (&digits[2..], 2),
            (_, Some(octal)) => (octal, 8),
            _ => (digits, 10),
        },
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok()?.checked_mul(sign)
}

#[cfg(test)]
mod tests;
