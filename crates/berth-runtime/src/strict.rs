//! What a typed reader lets pass in a JSON text: an object that has a key twice (two readers would
//! understand two things), and settings that it does not know.
//!
//! The text is one that serde_json has accepted: only its shape is followed here, byte by byte, so that a
//! second look at a large configuration costs a fraction of the first.

use std::borrow::Cow;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A key that its object has twice.
    Twice(String),
    /// The first of the given paths whose value is not empty.
    Setting(String),
    /// More values in one another than anybody means.
    Deep,
}

/// As serde_json has it for what it keeps; what it passes over may be any deep.
const MAX_DEPTH: usize = 128;
/// Keys up to which a list is faster than a sorted one.
const FEW: usize = 32;

/// Looks through a value that is at `place` (keys joined by dots) of its document: for a key given twice,
/// then for the first of `settings` (paths from the document's top).
pub fn look(text: &str, place: &str, settings: &[&str]) -> Option<Found> {
    let mut walk = Walk {
        rest: text.as_bytes(),
        path: place.to_owned(),
        keys: Vec::new(),
        settings,
        met: None,
        depth: 0,
    };
    match walk.value() {
        Err(found) => Some(found),
        Ok(_) => walk.met.map(Found::Setting),
    }
}

struct Walk<'a> {
    rest: &'a [u8],
    path: String,
    /// Of all open objects, outermost first.
    keys: Vec<Cow<'a, str>>,
    settings: &'a [&'a str],
    met: Option<String>,
    depth: usize,
}

impl<'a> Walk<'a> {
    /// Passes over a value; tells whether it was empty (`null`, `{}`, `[]`). The error is what ends the look.
    fn value(&mut self) -> Result<bool, Found> {
        if self.depth == MAX_DEPTH {
            return Err(Found::Deep);
        }
        self.depth += 1;
        let empty = self.value_here()?;
        self.depth -= 1;
        Ok(empty)
    }

    fn value_here(&mut self) -> Result<bool, Found> {
        self.skip_space();
        match self.rest {
            [b'{', inside @ ..] => {
                self.rest = inside;
                self.object()
            }
            [b'[', inside @ ..] => {
                self.rest = inside;
                let mut empty = true;
                while self.goes_on(b']') {
                    empty = false;
                    self.value()?;
                }
                Ok(empty)
            }
            [b'"', ..] => {
                self.skip_string();
                Ok(false)
            }
            word => {
                let end = |b: &u8| matches!(b, b',' | b']' | b'}' | ..=b' ');
                let length = word.iter().position(end).unwrap_or(word.len());
                self.rest = &word[length..];
                Ok(word.first() == Some(&b'n'))
            }
        }
    }

    fn object(&mut self) -> Result<bool, Found> {
        let (outer_keys, outer_path) = (self.keys.len(), self.path.len());
        while self.goes_on(b'}') {
            let key = self.key();
            let own = &self.keys[outer_keys..];
            if own.len() < FEW && own.contains(&key) {
                return Err(Found::Twice(key.into_owned()));
            }
            if outer_path > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            self.keys.push(key);
            self.skip_space();
            self.rest = self.rest.get(1..).unwrap_or_default(); // the colon
            let empty = self.value()?;
            if !empty && self.met.is_none() && self.settings.contains(&self.path.as_str()) {
                self.met = Some(self.path.clone());
            }
            self.path.truncate(outer_path);
        }
        let own = &mut self.keys[outer_keys..];
        if own.len() > FEW {
            own.sort_unstable();
            if let Some(twice) = own.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(Found::Twice(twice[0].clone().into_owned()));
            }
        }
        let empty = own.is_empty();
        self.keys.truncate(outer_keys);
        Ok(empty)
    }

    /// Whether another member follows; passes over the comma, or over the end.
    fn goes_on(&mut self, end: u8) -> bool {
        self.skip_space();
        if let [b',', after @ ..] = self.rest {
            self.rest = after;
            self.skip_space();
        }
        match self.rest {
            [] => false,
            [byte, after @ ..] if *byte == end => {
                self.rest = after;
                false
            }
            _ => true,
        }
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', after @ ..] = self.rest {
            self.rest = after;
        }
    }

    /// Passes over a string; tells whether it has escapes.
    fn skip_string(&mut self) -> bool {
        let mut escaped = false;
        let mut rest = self.rest.get(1..).unwrap_or_default();
        loop {
            rest = match rest {
                [b'"', after @ ..] => {
                    rest = after;
                    break;
                }
                [b'\\', _, after @ ..] => {
                    escaped = true;
                    after
                }
                [_, after @ ..] => after,
                [] => break,
            };
        }
        self.rest = rest;
        escaped
    }

    /// Passes over a string and returns it.
    fn key(&mut self) -> Cow<'a, str> {
        let begin = self.rest;
        let escaped = self.skip_string();
        let whole = &begin[..begin.len() - self.rest.len()];
        if escaped {
            return crate::json::read(whole).map_or(Cow::Borrowed(""), Cow::Owned);
        }
        let inside = whole.get(1..whole.len().saturating_sub(1));
        Cow::Borrowed(std::str::from_utf8(inside.unwrap_or_default()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_are_found_wherever_they_are() {
        for good in [
            "{}",
            "[]",
            " 1 ",
            "null",
            r#"{"a":{"a":1},"b":[{"a":1},{"a":1}],"c":"\"a\""}"#,
            r#" [ { "a" : [ ] , "b" : -1.5e3 } , "{\\" , "}" ] "#,
        ] {
            assert_eq!(look(good, "", &[]), None, "{good}");
        }
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":[0,{"y":{"a" : 1 , "b":"]}\\" , "\u0061":{}}}]}"#,
            "{\"a\":null,\n\t\"a\":null}",
        ] {
            let twice = Some(Found::Twice("a".to_owned()));
            assert_eq!(look(bad, "", &[]), twice, "{bad}");
        }
    }

    #[test]
    fn settings_are_met_unless_they_are_empty() {
        let settings = ["x.y", "p.q"];
        let met = |text, place| look(text, place, &settings);
        for empty in [
            r#"{"x":{"y":null}}"#,
            r#"{"x":{"y":[]},"p":{"q":{}}}"#,
            r#"{"y":1}"#,
        ] {
            assert_eq!(met(empty, ""), None, "{empty}");
        }
        let found = |path: &str| Some(Found::Setting(path.to_owned()));
        assert_eq!(met(r#"{"p":{"q":[0]},"x":{"y":false}}"#, ""), found("p.q"));
        assert_eq!(met(r#"{"y":0}"#, "x"), found("x.y"));
        assert_eq!(
            met(r#"{"x":{"y":1},"b":1,"b":2}"#, ""),
            Some(Found::Twice("b".to_owned()))
        );
    }

    /// serde_json passes over what it does not keep without a limit of its own.
    #[test]
    fn what_is_deep_or_wide_does_no_harm() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(look(&nested(MAX_DEPTH), "", &[]), None);
        assert_eq!(look(&nested(1 << 20), "", &[]), Some(Found::Deep));
        let many = |last: &str| {
            let keys: Vec<_> = (0..200_000).map(|n| format!(r#""k{n}":0"#)).collect();
            format!(r#"{{{},"{last}":0}}"#, keys.join(","))
        };
        let started = std::time::Instant::now();
        assert_eq!(look(&many("k"), "", &[]), None);
        let twice = |key: &str| Some(Found::Twice(key.to_owned()));
        assert_eq!(look(&many("k7"), "", &[]), twice("k7"));
        assert_eq!(look(&many("k199999"), "", &[]), twice("k199999"));
        assert!(started.elapsed().as_secs() < 30, "it is quadratic");
    }

    /// It follows the shape of whatever serde_json takes, and of anything else it does not panic.
    #[test]
    fn it_ends_on_any_text() {
        let text = r#"{"a":[1,{"b":"\"\u0041"},null],"c":{"d":true}}"#;
        for end in 0..text.len() {
            for start in 0..=end {
                look(&text[start..end], "", &["a"]);
            }
        }
    }
}
