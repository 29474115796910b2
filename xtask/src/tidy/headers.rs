//! Each `.rs` file opens with `//!`: what it is.

use super::Problem;
use super::source::Source;

/// The first line must be a `//!` sentence.
pub fn check(source: &Source) -> Option<Problem> {
    let first = source.text.lines().find(|line| !line.starts_with("#!["))?;
    let sentence = first.strip_prefix("//!").unwrap_or_default().trim();
    (sentence.len() < 10).then(|| {
        Problem::error(
            &source.path,
            1,
            "open the file with `//!` and a sentence: what it is",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complains(text: &str) -> bool {
        check(&Source::parse("a.rs", text)).is_some()
    }

    #[test]
    fn a_sentence_is_wanted() {
        assert!(!complains("//! What this file is.\nfn a() {}\n"));
        assert!(!complains("#![no_std]\n//! What this file is.\n"));
        assert!(complains("fn a() {}\n"));
        assert!(complains("//! x\n"));
        assert!(complains("/// What the item is.\nfn a() {}\n"));
    }
}
