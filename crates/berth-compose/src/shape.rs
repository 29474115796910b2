//! Shapes: what may stand where, what its long form is, and how two of it become one.
//!
//! The tables in `schema/` are made of these. One table serves the check of types and keys, the long forms, the
//! merge and the order of keys in the output.

use crate::node::Path;
use crate::node::{Node, Value};
use crate::settle::Settle;

/// Bits of [`Scalar::types`].
pub(crate) const TEXT: u8 = 1;
pub(crate) const INT: u8 = 2;
pub(crate) const NUMBER: u8 = 4 | INT;
pub(crate) const BOOL: u8 = 8;
pub(crate) const NULL: u8 = 16;

/// What a value has to be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Whatever.
    Anything,
    /// One value.
    Scalar(Scalar),
    /// A list.
    List(List),
    /// A map of names to values, or a list of `name=value`; becomes the map.
    Pairs(Pairs),
    /// A map whose keys the user chooses.
    Map(Keys, &'static Shape),
    /// A map with known keys.
    Struct(&'static Struct),
    /// One of several, by what the value is.
    Union(&'static Union),
}

/// A scalar: the types that the schema allows, and what the value means.
#[derive(Debug)]
pub(crate) struct Scalar {
    pub types: u8,
    pub read: Read,
}

/// What a scalar means; it becomes the canonical way to say it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Read {
    /// As it is.
    Verbatim,
    /// A text; numbers become texts.
    Text,
    /// A truth value; false is as good as nothing.
    Truth,
    /// A truth value whose false says something.
    Choice,
    /// A whole number between these.
    Whole(i64, i64),
    /// A number.
    Float,
    /// `64m`: the bytes as a text; -1 is no limit.
    Size,
    /// `1m30s`.
    Duration,
    /// Microseconds, or a duration: the microseconds.
    Micros,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A number of devices, or `all` (-1).
    GpuCount,
    /// A file's mode: octal as a text.
    Mode,
    /// A path of the host: absolute.
    Path,
    /// A path of the host, or a URL.
    PathOrUrl,
    /// What a function says of the text: nothing, or why it is none.
    Checked(fn(&str) -> Result<(), String>),
}

/// A list.
#[derive(Debug)]
pub(crate) struct List {
    pub item: &'static Shape,
    /// The schema wants its items to differ.
    pub distinct: bool,
    pub join: Join,
}

/// How two lists become one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Join {
    /// The later one's items behind the earlier one's.
    Append,
    /// The later one.
    Replace,
    /// One item for each of these keys: the later one's, where the earlier one's was.
    Unique(fn(&Node) -> String),
}

/// `list_or_dict`.
#[derive(Debug)]
pub(crate) struct Pairs {
    /// A name alone is null (a variable to take from outside), else an empty text.
    pub null: bool,
    /// Values are paths or URLs.
    pub paths: bool,
}

/// What the keys of a map may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Anything but nothing.
    Any,
    /// `[a-zA-Z0-9._-]+`, and as in the schema others are refused.
    Names,
    /// `[a-z]+`; others are let alone by the schema, and refused by us.
    Letters,
}

/// A map with known keys.
#[derive(Debug)]
pub(crate) struct Struct {
    /// In the order of the output.
    pub fields: &'static [Field],
    pub required: &'static [&'static str],
    /// `x-…` may stand beside them.
    pub extensions: bool,
    /// Two of them become one only if both have the same value here, or one has none; else the later one stays.
    pub same: Option<&'static str>,
}

/// A key of a [`Struct`].
#[derive(Debug)]
pub(crate) struct Field {
    pub name: &'static str,
    pub shape: &'static Shape,
}

/// One of several shapes, told apart by what the value is.
#[derive(Debug)]
pub(crate) struct Union {
    pub null: bool,
    pub scalar: Option<&'static Shape>,
    pub list: Option<&'static Shape>,
    pub map: Option<&'static Shape>,
    /// Makes the long form of what has passed.
    pub expand: Option<Expand>,
    /// The later one replaces the earlier one.
    pub replace: bool,
}

/// Makes the long form; what is wrong with the short one goes to the [`Settle`].
pub(crate) type Expand = fn(&mut Settle<'_>, &mut Node, &Path<'_>);

/// A field.
pub(crate) const fn f(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, shape }
}

/// A scalar.
pub(crate) const fn scalar(types: u8, read: Read) -> Shape {
    Shape::Scalar(Scalar { types, read })
}

/// A list whose items stand one behind the other.
pub(crate) const fn list(item: &'static Shape) -> Shape {
    Shape::List(List {
        item,
        distinct: false,
        join: Join::Append,
    })
}

/// A struct with extensions.
pub(crate) const fn fields(fields: &'static [Field], required: &'static [&'static str]) -> Struct {
    Struct {
        fields,
        required,
        extensions: true,
        same: None,
    }
}

/// A union of nothing; for `..`.
pub(crate) const NONE: Union = Union {
    null: false,
    scalar: None,
    list: None,
    map: None,
    expand: None,
    replace: false,
};

impl Struct {
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.position(name).map(|n| &self.fields[n])
    }

    /// Where a key stands among the fields.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        // Asked for each key of a file several times: most fields are passed over by their first letter.
        let first = name.as_bytes().first()?;
        let is_it =
            |field: &Field| field.name.as_bytes().first() == Some(first) && field.name == name;
        self.fields.iter().position(is_it)
    }
}

impl Union {
    /// The shape for a value like this.
    pub(crate) fn pick(&self, node: &Node) -> Option<&'static Shape> {
        match node.value {
            Value::Null => None,
            Value::List(_) => self.list,
            Value::Map(_) => self.map,
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => self.scalar,
        }
    }
}

impl Shape {
    /// The shape that says more about this value.
    pub(crate) fn of(&'static self, node: &Node) -> &'static Shape {
        match self {
            Shape::Union(union) => union.pick(node).map_or(self, |shape| shape.of(node)),
            shape => shape,
        }
    }

    /// What a key of this map is.
    pub(crate) fn key(&'static self, name: &str) -> &'static Shape {
        match self {
            Shape::Map(_, shape) => shape,
            Shape::Struct(known) => known.field(name).map_or(&Shape::Anything, |f| f.shape),
            _ => &Shape::Anything,
        }
    }

    /// What an item of this list is.
    pub(crate) fn item(&'static self) -> &'static Shape {
        match self {
            Shape::List(list) => list.item,
            _ => &Shape::Anything,
        }
    }
}

/// The whole text of a scalar as its key among others.
pub(crate) fn by_text(node: &Node) -> String {
    node.scalar_text().unwrap_or_default()
}
