//! Headers of HTTP whose grammar matters to us, as text: what a registry writes there leads what we do next.
//! Who reads them has the HTTP library; here is only the grammar, so that it can be fuzzed alone.

pub mod challenge;
pub mod link;
pub mod range;
pub mod retry;

pub use challenge::Challenge;

/// Bytes of one header that are looked at.
const MAX_BYTES: usize = 8 << 10;

/// `text`, or as much of it as is looked at.
fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
}

/// Without the white space before it. Source: RFC 9110, section 5.6.3.
fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// A quoted string, or what stands before one of `ends`; and what follows it. `None`: a quote without an end.
/// Source: RFC 9110, section 5.6.4.
fn take_value<'a>(text: &'a str, ends: &[char]) -> Option<(String, &'a str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(ends).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((i, c)) = characters.next() {
        match c {
            '"' => return Some((value, &quoted[i + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// A whole number in digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
