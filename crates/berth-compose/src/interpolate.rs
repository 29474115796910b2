//! Variables in texts: `$NAME`, `${NAME}`, with `:-` `-` a default, with `:?` `?` an error, with `:+` `+` a
//! replacement; `$$` is a dollar. What stands behind the operators has variables again.
//!
//! Source: the Compose Specification, "Interpolation".

use std::collections::BTreeMap;

use crate::limits;

/// The variables, and what was missed among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    values: BTreeMap<String, String>,
    /// Asked for without a default, and not set: in the order of asking.
    missed: std::cell::RefCell<Vec<String>>,
}

/// Why a text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `${` without an end, without a name, or with something else behind it.
    Form(String),
    /// `${NAME:?why}`.
    Required { name: String, why: String },
    /// It becomes too long, or too deep.
    TooLarge,
}

impl Variables {
    pub(crate) fn new(values: BTreeMap<String, String>) -> Variables {
        Variables {
            values,
            ..Variables::default()
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// These, with others below them.
    pub(crate) fn with_below(&self, below: BTreeMap<String, String>) -> Variables {
        let mut values = below;
        values.extend(self.values.clone());
        Variables::new(values)
    }

    /// All of them.
    pub(crate) fn all(self) -> BTreeMap<String, String> {
        self.values
    }

    /// Those that were missed, each once.
    pub(crate) fn missed(&self) -> Vec<String> {
        self.missed.borrow().clone()
    }

    pub(crate) fn miss(&self, name: &str) {
        let mut missed = self.missed.borrow_mut();
        if !missed.iter().any(|known| known == name) {
            missed.push(name.to_owned());
        }
    }

    /// The text with its variables replaced.
    pub(crate) fn replace(&self, text: &str) -> Result<String, Fault> {
        replace(
            text,
            &|name| self.get(name).map(str::to_owned),
            &mut |name| {
                self.miss(name);
            },
        )
    }
}

/// The text with its variables replaced by what `look` has; `missed` is told of those that it has not.
pub(crate) fn replace(
    text: &str,
    look: &dyn Fn(&str) -> Option<String>,
    missed: &mut dyn FnMut(&str),
) -> Result<String, Fault> {
    let mut walk = Walk { look, missed };
    let (out, rest) = walk.run(text, false, 0)?;
    debug_assert!(rest.is_empty(), "only an inner text ends early");
    Ok(out)
}

struct Walk<'a> {
    look: &'a dyn Fn(&str) -> Option<String>,
    missed: &'a mut dyn FnMut(&str),
}

impl Walk<'_> {
    /// Up to the end, or with `inner` up to the brace that closes it: the text, and what is left.
    fn run<'t>(
        &mut self,
        text: &'t str,
        inner: bool,
        depth: usize,
    ) -> Result<(String, &'t str), Fault> {
        if depth > limits::NESTED_VARIABLES {
            return Err(Fault::TooLarge);
        }
        let (mut out, mut rest, mut braces) = (String::new(), text, 0_usize);
        while let Some(c) = rest.chars().next() {
            let tail = &rest[c.len_utf8()..];
            match c {
                '}' if inner && braces == 0 => return Ok((out, rest)),
                '}' => braces = braces.saturating_sub(1),
                '{' => braces += 1,
                '$' => {
                    let (value, behind) = self.variable(tail, depth)?;
                    out.push_str(&value);
                    rest = behind;
                    if out.len() > limits::TEXT_BYTES {
                        return Err(Fault::TooLarge);
                    }
                    continue;
                }
                _ => {}
            }
            out.push(c);
            rest = tail;
        }
        if inner {
            return Err(Fault::Form("`${` has no `}`".to_owned()));
        }
        Ok((out, ""))
    }

    /// What stands behind a dollar.
    fn variable<'t>(&mut self, text: &'t str, depth: usize) -> Result<(String, &'t str), Fault> {
        if let Some(rest) = text.strip_prefix('$') {
            return Ok(("$".to_owned(), rest));
        }
        let Some(braced) = text.strip_prefix('{') else {
            let (name, rest) = name(text);
            // A dollar before anything else is a dollar.
            return match name {
                "" => Ok(("$".to_owned(), text)),
                name => Ok((self.plain(name), rest)),
            };
        };
        let (name, rest) = name(braced);
        if name.is_empty() {
            let text = format!("`${{{}` has no name", first_word(braced));
            return Err(Fault::Form(text));
        }
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((self.plain(name), rest));
        }
        let operator = [":-", ":?", ":+", "-", "?", "+"]
            .into_iter()
            .find(|operator| rest.starts_with(operator));
        let Some(operator) = operator else {
            let text = match rest.is_empty() {
                true => format!("`${{{name}` has no `}}`"),
                false => format!("`${{{name}{}`: no operator", first_word(rest)),
            };
            return Err(Fault::Form(text));
        };
        let value = (self.look)(name);
        let strict = operator.starts_with(':');
        let there = value
            .as_deref()
            .is_some_and(|value| !strict || !value.is_empty());
        // Variables in what is not used are not missed.
        let used = operator.ends_with('+') == there;
        let (behind, rest) = match used {
            true => self.run(&rest[operator.len()..], true, depth + 1)?,
            false => skip(&rest[operator.len()..], depth)?,
        };
        let rest = rest.strip_prefix('}').unwrap_or(rest);
        match (operator.ends_with('?'), used) {
            (true, true) => Err(Fault::Required {
                name: name.to_owned(),
                why: behind,
            }),
            (false, true) => Ok((behind, rest)),
            (_, false) => Ok((
                value
                    .filter(|_| !operator.ends_with('+'))
                    .unwrap_or_default(),
                rest,
            )),
        }
    }

    fn plain(&mut self, name: &str) -> String {
        (self.look)(name).unwrap_or_else(|| {
            (self.missed)(name);
            String::new()
        })
    }
}

/// As [`Walk::run`], for what is not used: that something is missing there is no error.
fn skip(text: &str, depth: usize) -> Result<(String, &str), Fault> {
    let (look, mut missed) = (|_: &str| Some("x".to_owned()), |_: &str| {});
    let mut walk = Walk {
        look: &look,
        missed: &mut missed,
    };
    walk.run(text, true, depth + 1)
}

/// The name at the text's begin, perhaps empty, and the rest.
fn name(text: &str) -> (&str, &str) {
    let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return ("", text);
    }
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn first_word(text: &str) -> &str {
    let end = text.find([' ', '}', '\n']).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests;
