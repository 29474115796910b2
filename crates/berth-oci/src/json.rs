//! One strict reading of JSON: duplicate keys are refused at every level (also in free maps such
//! as labels), depth and number of values are capped, and so are keys that a careless reader would
//! take for known ones (`Layers`: Go's decoder ignores case). Security: P4, T18.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::Error;

/// Nested arrays and objects; serde_json itself stops at 128.
const MAX_DEPTH: u32 = 64;
/// Values in one document.
const MAX_VALUES: u32 = 1 << 20;

/// Checks `bytes` as said above, then reads a `T` from them. `known` are the document's own keys at
/// the top level.
pub(crate) fn parse<'de, T: Deserialize<'de>>(
    what: &'static str,
    bytes: &'de [u8],
    known: &[&str],
) -> Result<T, Error> {
    // A derived reader would take an array for a struct.
    let object = known.is_empty() || bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    let checked = match object {
        true => check(bytes, known),
        false => Err(de::Error::custom("expected an object")),
    };
    checked.map_err(|source| Error::ParseJson { what, source })?;
    serde_json::from_slice(bytes).map_err(|source| Error::ParseJson { what, source })
}

/// Checks that `bytes` are one JSON object, read the same by everybody: no key twice, at no level.
///
/// # Errors
/// Where it is not.
pub fn check_object(bytes: &[u8]) -> Result<(), serde_json::Error> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => check(bytes, &[]),
        _ => Err(de::Error::custom("expected an object")),
    }
}

fn check(bytes: &[u8], known: &[&str]) -> Result<(), serde_json::Error> {
    let mut values = 0;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Check {
        depth: 0,
        values: &mut values,
        known,
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Visits a value and keeps nothing of it.
struct Check<'a> {
    depth: u32,
    values: &'a mut u32,
    known: &'a [&'a str],
}

impl Check<'_> {
    fn inside(&mut self) -> Check<'_> {
        Check {
            depth: self.depth + 1,
            values: self.values,
            known: &[],
        }
    }

    fn key<E: de::Error>(&self, seen: &mut HashSet<String>, key: String) -> Result<(), E> {
        let close = |known: &&str| *known != key && known.eq_ignore_ascii_case(&key);
        if let Some(known) = self.known.iter().find(|known| close(known)) {
            return Err(E::custom(format_args!(
                "key `{key}` differs from `{known}` only in case"
            )));
        }
        if let Some(key) = seen.replace(key) {
            return Err(E::custom(format_args!("duplicate key `{key}`")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        *self.values += 1;
        if *self.values > MAX_VALUES {
            return Err(de::Error::custom("too many values"));
        }
        if self.depth > MAX_DEPTH {
            return Err(de::Error::custom("nested too deeply"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.inside())?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            self.key(&mut seen, key)?;
            map.next_value_seed(self.inside())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(text: &str) -> bool {
        check(text.as_bytes(), &["layers", "mediaType"]).is_ok()
    }

    /// T18.
    #[test]
    fn duplicates_depth_and_look_alikes_are_refused() {
        assert!(ok(
            r#"{"layers":[1,2.5,-1,null,true,"x"],"a":{"x":1},"b":{"x":1,"X":2}}"#
        ));
        assert!(!ok(r#"{"a":1,"a":1}"#));
        assert!(!ok(r#"{"a":{"x":1,"x":1}}"#));
        assert!(!ok(r#"{"a":1,"\u0061":1}"#));
        assert!(!ok(r#"{"Layers":1}"#));
        assert!(!ok(r#"{"MEDIATYPE":1}"#));
        assert!(ok(r#"{"a":{"Layers":1}}"#));
        assert!(!ok("\u{feff}{}"));
        assert!(!ok("{} {}"));
        assert!(!ok(""));
        assert!(!ok(r#"{"a":1e999}"#));
        assert!(ok(&("[".repeat(65) + &"]".repeat(65))));
        assert!(!ok(&("[".repeat(66) + &"]".repeat(66))));
        assert!(!ok(&"[".repeat(100_000)));
    }

    #[test]
    fn number_of_values_is_capped() {
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES as usize));
        assert!(!ok(&many));
    }
}
