//! A file is at most 800 lines without its tests; above 500 it is time to split.

use super::Problem;
use super::source::Source;

const WARN_LINES: usize = 500;
const MAX_LINES: usize = 800;

/// Counts the lines that are no test.
pub fn check(source: &Source) -> Option<Problem> {
    let lines = source.product_code().count();
    let text = format!("{lines} lines without tests; split it");
    match lines {
        n if n > MAX_LINES => Some(Problem::error(&source.path, 0, text)),
        n if n > WARN_LINES => Some(Problem::warning(&source.path, 0, text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_told() {
        let problem = |lines| check(&Source::parse("crates/x/src/a.rs", &"a;\n".repeat(lines)));
        assert_eq!(problem(500), None);
        assert!(problem(501).is_some_and(|p| p.warning));
        assert!(problem(800).is_some_and(|p| p.warning));
        assert!(problem(801).is_some_and(|p| !p.warning));
    }

    #[test]
    fn tests_do_not_count() {
        let text = format!(
            "a;\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "    b;\n".repeat(900)
        );
        assert_eq!(check(&Source::parse("crates/x/src/a.rs", &text)), None);
    }
}
