//! The functions of templates: Go's own and docker's.

use std::cmp::Ordering;

use super::printf;
use super::value::Value;

const NAMES: &[&str] = &[
    "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "print",
    "printf", "println", "json", "split", "join", "title", "lower", "upper", "pad", "truncate",
];

/// Whether there is such a function.
pub fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls `name`.
pub fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    match name {
        // Reached only when none before the last decided: that is the result.
        "and" | "or" => args.last().cloned().ok_or_else(|| wrong_number(name)),
        "not" => Ok(Value::Bool(!one(name, args)?.is_true())),
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare(name, args),
        "len" => length(one(name, args)?),
        "index" => index(args),
        "slice" => slice(args),
        "print" => Ok(printf::print(args).into()),
        "println" => Ok(printf::println(args).into()),
        "printf" => match args {
            [Value::Str(format), rest @ ..] => Ok(printf::printf(format, rest).into()),
            _ => Err("printf needs a format string".into()),
        },
        "json" => serde_json::to_string(one(name, args)?)
            .map(Value::Str)
            .map_err(|e| format!("json: {e}")),
        _ => text_function(name, args),
    }
}

/// Calls `name` on a table's header: docker's functions give the header back, so that
/// `{{json .Names}}` is still headed `NAMES`.
pub fn call_on_header(name: &str, args: &[Value]) -> Result<Value, String> {
    match name {
        "json" | "title" | "lower" | "upper" | "join" | "split" | "truncate" | "pad" => {
            args.first().cloned().ok_or_else(|| wrong_number(name))
        }
        other => call(other, args),
    }
}

fn text_function(name: &str, args: &[Value]) -> Result<Value, String> {
    match (name, args) {
        ("lower", [Value::Str(text)]) => Ok(text.to_lowercase().into()),
        ("upper", [Value::Str(text)]) => Ok(text.to_uppercase().into()),
        ("title", [Value::Str(text)]) => Ok(title(text).into()),
        ("split", [Value::Str(text), Value::Str(by)]) => Ok(Value::List(split(text, by))),
        ("join", [Value::List(items), Value::Str(by)]) => Ok(items
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(by)
            .into()),
        ("join", [Value::Nil | Value::Missing | Value::Omitted, Value::Str(_)]) => {
            Ok(Value::Str(String::new()))
        }
        ("pad", [Value::Str(text), Value::Int(_), Value::Int(_)]) if text.is_empty() => {
            Ok(Value::Str(String::new()))
        }
        ("pad", [Value::Str(text), Value::Int(before), Value::Int(after)]) => {
            let spaces = |n: i128| " ".repeat(usize::try_from(n.clamp(0, PAD_MAX)).unwrap_or(0));
            Ok(format!("{}{text}{}", spaces(*before), spaces(*after)).into())
        }
        ("truncate", [Value::Str(text), Value::Int(length)]) => {
            let length =
                usize::try_from(*length).map_err(|_| "truncate: the length is negative")?;
            Ok(text.chars().take(length).collect::<String>().into())
        }
        _ => Err(format!("{name} cannot take {}", kinds(args))),
    }
}

const PAD_MAX: i128 = 1000;

fn title(text: &str) -> String {
    let mut word_begins = true;
    text.chars()
        .map(|c| {
            let cased = if word_begins {
                c.to_uppercase().next().unwrap_or(c)
            } else {
                c
            };
            word_begins = !(c.is_alphanumeric() || c == '_' || c == '\'');
            cased
        })
        .collect()
}

fn split(text: &str, by: &str) -> Vec<Value> {
    if by.is_empty() {
        return text.chars().map(|c| Value::Str(c.to_string())).collect();
    }
    text.split(by).map(Value::from).collect()
}

fn kinds(args: &[Value]) -> String {
    args.iter().map(Value::kind).collect::<Vec<_>>().join(", ")
}

fn wrong_number(name: &str) -> String {
    format!("wrong number of arguments for {name}")
}

fn one<'a>(name: &str, args: &'a [Value]) -> Result<&'a Value, String> {
    match args {
        [value] => Ok(value),
        _ => Err(wrong_number(name)),
    }
}

fn compare(name: &str, args: &[Value]) -> Result<Value, String> {
    let (first, rest) = match args {
        [first, rest @ ..] if !rest.is_empty() && (rest.len() == 1 || name == "eq") => {
            (first, rest)
        }
        _ => return Err(wrong_number(name)),
    };
    for other in rest {
        let order = order(name, first, other)?;
        let holds = match name {
            "eq" => order == Some(Ordering::Equal),
            "ne" => order != Some(Ordering::Equal),
            "lt" => order == Some(Ordering::Less),
            "le" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            "gt" => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        };
        if holds {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// `None`: neither equal nor ordered.
fn order(name: &str, a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    let equality = matches!(name, "eq" | "ne");
    let equal = |yes: bool| Ok(yes.then_some(Ordering::Equal));
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Ok(Some(a.cmp(b))),
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Int(a), Value::Float(b)) => Ok((*a as f64).partial_cmp(b)),
        (Value::Float(a), Value::Int(b)) => Ok(a.partial_cmp(&(*b as f64))),
        (Value::Bool(a), Value::Bool(b)) if equality => equal(a == b),
        (Value::Nil | Value::Missing | Value::Omitted, other)
        | (other, Value::Nil | Value::Missing | Value::Omitted)
            if equality =>
        {
            equal(matches!(
                other,
                Value::Nil | Value::Missing | Value::Omitted
            ))
        }
        _ => Err(format!(
            "{name}: cannot compare {} with {}",
            a.kind(),
            b.kind()
        )),
    }
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::Str(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        other => return Err(format!("len of a {}", other.kind())),
    };
    Ok(Value::Int(length as i128))
}

fn index(args: &[Value]) -> Result<Value, String> {
    let [value, keys @ ..] = args else {
        return Err(wrong_number("index"));
    };
    let mut value = value.clone();
    for key in keys {
        value = match (value, key) {
            (Value::List(items), Value::Int(at)) => {
                let length = items.len();
                let found = usize::try_from(*at)
                    .ok()
                    .and_then(|at| items.into_iter().nth(at));
                found.ok_or_else(|| format!("index {at} is out of range ({length} elements)"))?
            }
            (Value::Str(text), Value::Int(at)) => {
                let byte = usize::try_from(*at)
                    .ok()
                    .and_then(|at| text.as_bytes().get(at).copied());
                Value::Int(
                    byte.ok_or_else(|| format!("index {at} is out of range"))?
                        .into(),
                )
            }
            // The zero value, as Go gives for a map of strings.
            (Value::Map(mut map), Value::Str(key)) => {
                let other_is_text = map.values().all(|value| matches!(value, Value::Str(_)));
                let zero = if other_is_text {
                    Value::Str(String::new())
                } else {
                    Value::Missing
                };
                map.remove(key).unwrap_or(zero)
            }
            (Value::Nil | Value::Missing | Value::Omitted, _) => {
                return Err("index of nothing".into());
            }
            (other, key) => {
                return Err(format!(
                    "cannot index a {} with a {}",
                    other.kind(),
                    key.kind()
                ));
            }
        };
    }
    Ok(value)
}

fn slice(args: &[Value]) -> Result<Value, String> {
    let (value, bounds) = match args {
        [value, bounds @ ..] if bounds.len() <= 2 => (value, bounds),
        _ => return Err(wrong_number("slice")),
    };
    let range = |length: usize| {
        let bound = |at: usize, default: usize| match bounds.get(at) {
            None => Ok(default),
            Some(Value::Int(n)) => usize::try_from(*n)
                .ok()
                .filter(|n| *n <= length)
                .ok_or_else(|| format!("index {n} is out of range")),
            Some(other) => Err(format!("cannot slice with a {}", other.kind())),
        };
        let (from, to) = (bound(0, 0)?, bound(1, length)?);
        if from > to {
            return Err(format!("invalid slice index: {from} > {to}"));
        }
        Ok(from..to)
    };
    match value {
        Value::Str(text) => {
            let part = &text.as_bytes()[range(text.len())?];
            Ok(String::from_utf8_lossy(part).into_owned().into())
        }
        Value::List(items) => Ok(Value::List(items[range(items.len())?].to_vec())),
        other => Err(format!("can't slice a {}", other.kind())),
    }
}
