//! What is wrong with a file, and where: the line, and the key that was probably meant.

use berth_model::near::distance;

/// The number of the line that byte `at` of `text` is in.
pub(super) fn line(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// Of serde's message about an unknown key or word, which of those that it expects is the nearest.
pub(super) fn suggestion(message: &str) -> Option<&str> {
    // unknown field `realn`, expected one of `htpasswd`, `realm`, `token`
    let (unknown, expected) = message.split_once(", expected ")?;
    let unknown = quoted(unknown).next()?;
    let near = quoted(expected).map(|known| (distance(unknown, known), known));
    let (distance, known) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + unknown.chars().count() / 4).then_some(known)
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_suggested() {
        let message = |unknown: &str| {
            format!("unknown field `{unknown}`, expected one of `htpasswd`, `realm`, `token`")
        };
        for (unknown, want) in [
            ("realn", Some("realm")),
            ("htpassword", Some("htpasswd")),
            ("tokens", Some("token")),
            ("x", None),
            ("something", None),
        ] {
            assert_eq!(suggestion(&message(unknown)), want, "{unknown}");
        }
        assert_eq!(suggestion("unknown field `a`, there are no fields"), None);
        assert_eq!(suggestion("invalid type"), None);
    }

    #[test]
    fn lines_are_counted() {
        assert_eq!(
            (line("a\nb\nc", 0), line("a\nb\nc", 2), line("a\nb", 99)),
            (1, 2, 2)
        );
    }
}
