//! The data that templates see: JSON's, with Go's difference between structs and maps.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

/// A method of a row: `.Label "x"`.
pub type Method = Rc<dyn Fn(&[Value]) -> Result<Value, String>>;

/// A value.
#[derive(Clone)]
pub enum Value {
    /// `nil`.
    Nil,
    /// A key that a map lacks: prints `<no value>`.
    Missing,
    /// A field that a struct has and its document leaves out: prints nothing, as Go's empty text.
    Omitted,
    /// A truth value.
    Bool(bool),
    /// Any integer.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(String),
    /// A slice.
    List(Vec<Value>),
    /// A map: any key may be asked for.
    Map(BTreeMap<String, Value>),
    /// A struct: an unknown field is an error.
    Struct(Vec<(String, Value)>),
    /// A method.
    Method(Method),
}

impl Value {
    /// A struct with these fields.
    pub fn fields<const N: usize>(fields: [(&str, Value); N]) -> Value {
        Value::Struct(
            fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// Whether `if` takes it as true.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Nil | Value::Missing | Value::Omitted => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Struct(_) | Value::Method(_) => true,
        }
    }

    /// Go's name of its kind, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil | Value::Missing | Value::Omitted => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Str(_) => "string",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Struct(_) => "struct",
            Value::Method(_) => "func",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Str(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

/// As Go's `%v` prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>,
                    open: &str,
                    items: &mut dyn Iterator<Item = String>,
                    close: &str| {
            write!(f, "{open}{}{close}", items.collect::<Vec<_>>().join(" "))
        };
        match self {
            Value::Nil => f.write_str("<nil>"),
            Value::Missing => f.write_str("<no value>"),
            Value::Omitted => Ok(()),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value}"),
            Value::Str(text) => f.write_str(text),
            Value::List(items) => list(f, "[", &mut items.iter().map(Value::to_string), "]"),
            Value::Map(map) => list(
                f,
                "map[",
                &mut map.iter().map(|(k, v)| format!("{k}:{v}")),
                "]",
            ),
            Value::Struct(fields) => {
                list(f, "{", &mut fields.iter().map(|(_, v)| v.to_string()), "}")
            }
            Value::Method(_) => f.write_str("<method>"),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", self.kind())
    }
}

/// As `json` prints it. Methods that take no argument are called, the others left out.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Nil | Value::Missing | Value::Omitted => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => match i64::try_from(*value) {
                Ok(small) => serializer.serialize_i64(small),
                Err(_) => serializer.serialize_i128(*value),
            },
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Str(text) => serializer.serialize_str(text),
            Value::List(items) => items.serialize(serializer),
            Value::Map(map) => map.serialize(serializer),
            Value::Struct(fields) => {
                let mut map = serializer.serialize_map(None)?;
                for (name, value) in fields {
                    match value {
                        Value::Omitted => {}
                        Value::Method(call) => {
                            if let Ok(value) = call(&[]) {
                                map.serialize_entry(name, &value)?;
                            }
                        }
                        plain => map.serialize_entry(name, plain)?,
                    }
                }
                map.end()
            }
            Value::Method(call) => call(&[]).map_err(S::Error::custom)?.serialize(serializer),
        }
    }
}
