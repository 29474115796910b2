//! JSON in and out through one reader and one writer: for each further kind of either, the code of every
//! struct of the specification would be in the program once more.

use serde::Serialize;
use serde::de::{self, DeserializeOwned};
use serde_json::Result;

/// Reads a value.
///
/// # Errors
/// It is not UTF-8, not JSON, or not a `T`.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(bytes).map_err(de::Error::custom)?;
    serde_json::from_str(text)
}

/// Writes a value, without spaces.
///
/// # Errors
/// Those of `T`.
pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
}

/// Writes a value in lines, two spaces a level.
///
/// # Errors
/// Those of `T`.
pub fn write_pretty<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    let bytes = write(value)?;
    Ok(pretty(&String::from_utf8(bytes).unwrap_or_default()))
}

/// Lays out JSON that has no spaces.
fn pretty(compact: &str) -> String {
    let mut out = String::with_capacity(2 * compact.len());
    let (mut depth, mut quoted, mut escaped, mut last) = (0_usize, false, false, ' ');
    for next in compact.chars() {
        if quoted {
            quoted = escaped || next != '"';
            escaped = !escaped && next == '\\';
        } else {
            let (opened, closes) = (matches!(last, '{' | '['), matches!(next, '}' | ']'));
            depth = depth.saturating_sub(closes.into());
            // Nothing stands between the two of an empty pair.
            if opened != closes || last == ',' {
                out.push('\n');
                out.extend(std::iter::repeat_n("  ", depth));
            }
            if last == ':' {
                out.push(' ');
            }
            depth += usize::from(matches!(next, '{' | '['));
            quoted = next == '"';
        }
        out.push(next);
        last = next;
    }
    out
}

#[cfg(test)]
mod tests {
    /// As serde_json has it.
    #[test]
    fn pretty_is_the_usual_layout() {
        for text in [
            "1",
            "{}",
            "[]",
            r#""{[,:\\""#,
            r#"{"a":[],"b":{},"c":[1,-2.5e3,null,"x\"{,","\\"],"d":{"e":[{"f":true},[[0]]]}}"#,
        ] {
            let value: serde_json::Value = super::read(text.as_bytes()).unwrap();
            let wanted = serde_json::to_string_pretty(&value).unwrap();
            assert_eq!(super::write_pretty(&value).unwrap(), wanted);
        }
    }
}
