//! A test program with a `main` of its own must list its tests through `testkit::harness`: the runner runs what is
//! listed, and one that lists nothing passes without a test.

use super::Problem;
use super::source::Source;

/// Files directly in a `tests/` folder of a crate, with a `main`.
pub fn check(source: &Source) -> Option<Problem> {
    let mut parts = source.path.rsplit('/');
    let program = parts.next().is_some() && parts.next() == Some("tests");
    let line = source
        .text
        .lines()
        .position(|line| line.starts_with("fn main("))?;
    (program && !source.text.contains("harness::run(")).then(|| {
        Problem::error(
            &source.path,
            line + 1,
            "call testkit::harness::run, or nextest finds no test here",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complains(path: &str, text: &str) -> bool {
        check(&Source::parse(path, text)).is_some()
    }

    #[test]
    fn a_main_of_its_own_lists_its_tests() {
        let main = "//! What.\nfn main() {\n    everything();\n}\n";
        assert!(complains("crates/x/tests/a.rs", main));
        assert!(!complains("crates/x/src/main.rs", main));
        assert!(!complains(
            "crates/x/tests/a.rs",
            "//! What.\n#[test]\nfn a() {}\n"
        ));
        let listed = "//! What.\nfn main() {\n    testkit::harness::run(&[]);\n}\n";
        assert!(!complains("crates/x/tests/a.rs", listed));
    }
}
