//! A file's tree is held against the schema, and each value becomes the canonical way to say it.
//!
//! Types and keys are checked first, then meanings, then short forms become long ones. Paths become absolute here,
//! since here it is still known which directory they are relative to. Without interpolation, texts with a `$` in them
//! stay as they are: nobody knows what they will be.

use std::collections::BTreeSet;

use berth_model::near::distance;

use crate::error::Problem;
use crate::limits;
use crate::merge::unique;
use crate::node::{Entry, Node, Path, Place, Tag, Value};
use crate::paths;
use crate::shape::{self, Join, Keys, List, Pairs, Read, Scalar, Shape, Struct, Union};
use crate::value;

/// The way of one file's tree through the schema.
pub(crate) struct Settle<'a> {
    /// Names of files, by their numbers.
    pub files: &'a [String],
    /// The absolute directory that paths are relative to.
    pub base: &'a str,
    /// What `~` stands for.
    pub home: Option<&'a str>,
    /// Variables are not replaced.
    pub verbatim: bool,
    /// What is wrong, in the order of finding.
    pub problems: Vec<Problem>,
}

impl Settle<'_> {
    /// Settles a value.
    pub(crate) fn value(&mut self, node: &mut Node, shape: &'static Shape, path: &Path<'_>) {
        // What is only taken away need not make sense.
        if node.tag == Tag::Reset || self.problems.len() >= limits::PROBLEMS {
            return;
        }
        match shape {
            Shape::Anything => {}
            Shape::Scalar(scalar) => self.scalar(node, scalar, path),
            Shape::List(list) => self.list(node, list, path),
            Shape::Pairs(pairs) => self.pairs(node, pairs, path),
            Shape::Map(keys, of) => self.map(node, *keys, of, path),
            Shape::Struct(known) => self.fields(node, known, path),
            Shape::Union(union) => self.union(node, union, path),
        }
    }

    /// Notes a problem.
    pub(crate) fn problem(&mut self, at: Place, path: &Path<'_>, text: impl Into<String>) {
        self.problem_with(at, path, text, None);
    }

    /// Notes a problem, and what to do.
    pub(crate) fn problem_with(
        &mut self,
        at: Place,
        path: &Path<'_>,
        text: impl Into<String>,
        hint: Option<String>,
    ) {
        self.problems
            .push(problem(self.files, at, path.to_string(), text.into(), hint));
    }

    /// Whether nothing can be said of a text yet.
    pub(crate) fn is_open(&self, text: &str) -> bool {
        self.verbatim && text.contains('$')
    }

    /// A path of the host, absolute.
    pub(crate) fn path(&self, text: &str) -> String {
        match text {
            "" => String::new(),
            text if self.verbatim && text.starts_with('$') => text.to_owned(),
            text => paths::absolute(text, self.base, self.home),
        }
    }

    fn union(&mut self, node: &mut Node, union: &'static Union, path: &Path<'_>) {
        if node.is_null() && union.null {
            return;
        }
        let Some(shape) = union.pick(node) else {
            return self.wrong_type(node, &expected(union), path);
        };
        let before = self.problems.len();
        self.value(node, shape, path);
        if let (Some(expand), true) = (union.expand, self.problems.len() == before) {
            expand(self, node, path);
        }
    }

    fn wrong_type(&mut self, node: &Node, expected: &str, path: &Path<'_>) {
        let hint = match &node.value {
            Value::Null => Some("remove the key, or give it a value".to_owned()),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) if expected.contains("text") => {
                let text = node.scalar_text().unwrap_or_default();
                Some(format!("put it into quotes: \"{text}\""))
            }
            Value::Text(text) if expected.contains("list") => Some(format!("write `- {text}`")),
            _ => None,
        };
        let text = format!("expected {expected}, found {}", node.kind());
        self.problem_with(node.at, path, text, hint);
    }

    fn list(&mut self, node: &mut Node, list: &'static List, path: &Path<'_>) {
        let Value::List(items) = &mut node.value else {
            return self.wrong_type(node, "a list", path);
        };
        let mut items = std::mem::take(items);
        if list.distinct {
            self.distinct(&items, path);
        }
        for (n, item) in items.iter_mut().enumerate() {
            self.value(item, list.item, &path.item(n));
        }
        // Two short forms may have the same long one.
        node.value = Value::List(match list.join {
            Join::Unique(key) => unique(items, key),
            Join::Append | Join::Replace => items,
        });
    }

    fn distinct(&mut self, items: &[Node], path: &Path<'_>) {
        if items.len() < 2 {
            return;
        }
        let mut seen = BTreeSet::new();
        for (n, item) in items.iter().enumerate() {
            if !seen.insert(crate::emit::json(item)) {
                let text = match item.scalar_text() {
                    Some(text) => format!("`{text}` stands in the list twice"),
                    None => "the same stands in the list twice".to_owned(),
                };
                let hint = Some("keep one of them".to_owned());
                self.problem_with(item.at, &path.item(n), text, hint);
            }
        }
    }

    fn pairs(&mut self, node: &mut Node, pairs: &Pairs, path: &Path<'_>) {
        let mut map = Vec::new();
        match std::mem::take(&mut node.value) {
            Value::Map(entries) => {
                for (key, mut entry) in entries {
                    self.pair(&mut entry.node, pairs, &path.key(&key));
                    map.push((key, entry));
                }
            }
            Value::List(items) => {
                self.distinct(&items, path);
                for (n, item) in items.into_iter().enumerate() {
                    let Value::Text(text) = &item.value else {
                        self.wrong_type(&item, "a text", &path.item(n));
                        continue;
                    };
                    if item.tag == Tag::Reset {
                        continue;
                    }
                    let (key, mut value) = match text.split_once('=') {
                        Some((key, value)) => (key, Node::text(item.at, value)),
                        None => (text.as_str(), Node::new(item.at, Value::Null)),
                    };
                    if key.is_empty() {
                        self.problem(item.at, &path.item(n), "a name is missing before the `=`");
                    }
                    self.pair(&mut value, pairs, &path.item(n));
                    let at = item.at;
                    map.push((key.to_owned(), Entry { at, node: value }));
                }
            }
            value => {
                node.value = value;
                return self.wrong_type(node, "a map, or a list of name=value", path);
            }
        }
        node.value = Value::Map(map.into_iter().collect());
    }

    fn pair(&mut self, node: &mut Node, pairs: &Pairs, path: &Path<'_>) {
        if node.tag == Tag::Reset {
            return;
        }
        let text = match (node.scalar_text(), node.is_null()) {
            (Some(text), _) => text,
            (None, true) if pairs.null => return,
            (None, true) => String::new(),
            (None, false) => {
                return self.wrong_type(node, "a text, a number or a truth value", path);
            }
        };
        let text = match pairs.paths && !self.is_open(&text) {
            true => paths::context(&text, self.base, self.home),
            false => text,
        };
        node.value = Value::Text(text);
    }

    fn map(&mut self, node: &mut Node, keys: Keys, of: &'static Shape, path: &Path<'_>) {
        let Value::Map(map) = &mut node.value else {
            return self.wrong_type(node, "a map", path);
        };
        let mut map = std::mem::take(map);
        for (key, entry) in &mut map {
            let path = path.key(key);
            if let Err(hint) = key_fits(key, keys) {
                self.problem_with(
                    entry.at,
                    &path,
                    format!("`{key}` cannot be a name here"),
                    Some(hint),
                );
            } else {
                self.value(&mut entry.node, of, &path);
            }
        }
        node.value = Value::Map(map);
    }

    fn fields(&mut self, node: &mut Node, known: &'static Struct, path: &Path<'_>) {
        let Value::Map(map) = &mut node.value else {
            return self.wrong_type(node, "a map", path);
        };
        let mut map = std::mem::take(map);
        for (key, entry) in &mut map {
            let path = path.key(key);
            match known.field(key) {
                Some(field) => self.value(&mut entry.node, field.shape, &path),
                None if known.extensions && key.starts_with("x-") => {}
                None => {
                    let hint = hint_for(key, known);
                    self.problem_with(entry.at, &path, "unknown key", Some(hint));
                }
            }
        }
        for required in known.required {
            if !map.contains_key(required) {
                let text = format!("`{required}` is missing");
                self.problem(node.at, path, text);
            }
        }
        node.value = Value::Map(map);
    }

    fn scalar(&mut self, node: &mut Node, scalar: &Scalar, path: &Path<'_>) {
        let allowed = match &node.value {
            Value::Null => scalar.types & shape::NULL,
            Value::Bool(_) => scalar.types & shape::BOOL,
            Value::Int(_) => scalar.types & shape::INT,
            // `2.0` is whole, too.
            Value::Float(number) if number.fract() == 0.0 => scalar.types & shape::NUMBER,
            Value::Float(_) => scalar.types & (shape::NUMBER ^ shape::INT),
            Value::Text(_) if node.interpolated => 1,
            Value::Text(_) => scalar.types & shape::TEXT,
            Value::List(_) | Value::Map(_) => 0,
        };
        if allowed == 0 {
            return self.wrong_type(node, &named(scalar), path);
        }
        let text = match node.scalar_text() {
            Some(text) if !self.is_open(&text) => text,
            _ => return,
        };
        match self.read(&node.value, &text, scalar.read) {
            Ok(Some(value)) => node.value = value,
            Ok(None) => {}
            Err(wrong) => self.problem(node.at, path, wrong),
        }
    }

    /// The canonical value; `None`: it is already.
    fn read(&self, value: &Value, text: &str, read: Read) -> Result<Option<Value>, String> {
        Ok(Some(match read {
            Read::Verbatim => return Ok(None),
            Read::Text => Value::Text(text.to_owned()),
            Read::Truth | Read::Choice => Value::Bool(value::truth(text)?),
            Read::Whole(least, most) => Value::Int(value::whole(text, least, most)?),
            Read::Float => Value::Float(value::float(text)?),
            Read::Size => Value::Text(value::size(text)?.to_string()),
            Read::Duration => Value::Text(value::print_duration(value::duration(text)?)),
            Read::Micros => Value::Int(value::micros(text)?),
            Read::GpuCount => Value::Int(value::gpu_count(text)?),
            Read::Mode => Value::Text(value::mode(value, text)?),
            Read::Path => Value::Text(self.path(text)),
            Read::PathOrUrl => Value::Text(paths::context(text, self.base, self.home)),
            Read::OneOf(known) if known.contains(&text) => return Ok(None),
            Read::OneOf(known) => return Err(format!("`{text}` is none of {}", known.join(", "))),
            Read::Checked(check) => {
                check(text)?;
                return Ok(None);
            }
        }))
    }
}

/// A problem with the name of its file.
pub(crate) fn problem(
    files: &[String],
    at: Place,
    path: String,
    text: String,
    hint: Option<String>,
) -> Problem {
    Problem {
        file: files.get(at.file as usize).cloned().unwrap_or_default(),
        line: at.line,
        column: at.column,
        path,
        text,
        hint,
    }
}

fn key_fits(key: &str, keys: Keys) -> Result<(), String> {
    let (fits, hint): (fn(u8) -> bool, _) = match keys {
        Keys::Any => (|_| true, "it is empty"),
        Keys::Names => (
            |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'),
            "use letters, digits, `.`, `_` and `-`",
        ),
        Keys::Letters => (|b| b.is_ascii_lowercase(), "use small letters"),
    };
    match !key.is_empty() && key.bytes().all(fits) {
        true => Ok(()),
        false => Err(hint.to_owned()),
    }
}

fn hint_for(key: &str, known: &Struct) -> String {
    // A key may have any length, and the time grows with it.
    let head: String = key.chars().take(64).collect();
    let near = known
        .fields
        .iter()
        .map(|field| (distance(&head, field.name), field.name))
        .min();
    match near {
        Some((distance, name)) if distance <= 2 && distance < name.len() => {
            format!("did you mean `{name}`?")
        }
        _ if known.fields.len() <= 12 => {
            let names: Vec<&str> = known.fields.iter().map(|field| field.name).collect();
            format!("there are {}", names.join(", "))
        }
        _ if known.extensions => "keys of your own begin with `x-`".to_owned(),
        _ => "remove it".to_owned(),
    }
}

fn expected(union: &Union) -> String {
    let mut words = Vec::new();
    if let Some(Shape::Scalar(scalar)) = union.scalar {
        words.push(named(scalar));
    }
    if union.list.is_some() {
        words.push("a list".to_owned());
    }
    if union.map.is_some() {
        words.push("a map".to_owned());
    }
    words.join(" or ")
}

fn named(scalar: &Scalar) -> String {
    let mut words = Vec::new();
    if scalar.types & shape::BOOL != 0 {
        words.push("a truth value");
    }
    match scalar.types & shape::NUMBER {
        0 => {}
        shape::INT => words.push("a whole number"),
        _ => words.push("a number"),
    }
    if scalar.types & shape::TEXT != 0 {
        words.push("a text");
    }
    words.join(" or ")
}
