//! A file's tree: values, each with its place.

use std::fmt;

/// Where a value or key begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the project's files.
    pub file: u32,
    /// From 1; 0: nowhere, we made it.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// What a tag asks of a merge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tag {
    /// Nothing.
    #[default]
    None,
    /// `!reset`: what is below goes away, and this too.
    Reset,
    /// `!override`: what is below goes away.
    Override,
}

/// A value with its place.
#[derive(Debug, Clone, Default)]
pub struct Node {
    pub(crate) at: Place,
    pub(crate) value: Value,
    pub(crate) tag: Tag,
    /// Its text came from variables: it may become a number or a truth value wherever one is wanted.
    pub(crate) interpolated: bool,
}

/// A value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

/// An entry of a map.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// Where its key stands.
    pub at: Place,
    pub node: Node,
}

pub(crate) use crate::map::Map;

/// Places and tags are no part of what a value is.
impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.node == other.node
    }
}

impl Node {
    pub(crate) fn new(at: Place, value: Value) -> Node {
        Node {
            at,
            value,
            ..Node::default()
        }
    }

    pub(crate) fn text(at: Place, text: impl Into<String>) -> Node {
        Node::new(at, Value::Text(text.into()))
    }

    pub(crate) fn map(at: Place) -> Node {
        Node::new(at, Value::Map(Map::new()))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// As a map, which it becomes if it is none.
    pub(crate) fn make_map(&mut self) -> &mut Map {
        if !matches!(self.value, Value::Map(_)) {
            self.value = Value::Map(Map::new());
        }
        match &mut self.value {
            Value::Map(map) => map,
            _ => unreachable!("it was made one"),
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The value of a key, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).map(|entry| &entry.node)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.as_map_mut()?.get_mut(key).map(|entry| &mut entry.node)
    }

    /// The text of a key.
    pub(crate) fn get_text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// Whether a key is `true`.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        matches!(
            self.get(key),
            Some(Node {
                value: Value::Bool(true),
                ..
            })
        )
    }

    /// The entries, none if this is no map.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.as_map().into_iter().flatten()
    }

    /// The items, none if this is no list.
    pub(crate) fn items(&self) -> &[Node] {
        self.as_list().unwrap_or_default()
    }

    /// Sets a key; its place is this map's.
    pub(crate) fn set(&mut self, key: &str, node: Node) {
        let at = self.at;
        let entry = Entry { at, node };
        self.make_map().insert(key.to_owned(), entry);
    }

    /// A scalar as text: what a list of variables would say.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Float(value) => Some(value.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The keys of a section: the names of services, say.
    pub fn keys(&self, section: &str) -> impl Iterator<Item = &str> {
        let map = self.get(section).and_then(Node::as_map);
        map.into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// Doubles each dollar, so that what is printed reads back as it is.
    pub fn escape_dollars(&mut self) {
        match &mut self.value {
            Value::Text(text) if text.contains('$') => *text = text.replace('$', "$$"),
            Value::List(list) => list.iter_mut().for_each(Node::escape_dollars),
            Value::Map(map) => map
                .values_mut()
                .for_each(|entry| entry.node.escape_dollars()),
            _ => {}
        }
    }

    /// What it is, in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// The keys to a value, innermost last; lives on the stack of who walks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }

    pub(crate) fn item(&'a self, index: usize) -> Path<'a> {
        Path::Item(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(up, key) => write!(f, "{up}.{key}"),
            Path::Item(up, index) => write!(f, "{up}[{index}]"),
        }
    }
}
