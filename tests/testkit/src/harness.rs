//! Test programs without the usual harness (`harness = false`): those that start themselves as another program,
//! or may have one thread only. They answer what `cargo test` and nextest ask of a test program; one that does
//! not list its tests is passed over by nextest in silence.
//!
//! ```text
//! --list [--ignored]     a line `NAME: test` each
//! NAME --exact           that test alone
//! [FILTER]               those with FILTER in their names
//! --ignored, --include-ignored    the long ones alone, or too
//! ```
//! Source: `--help` of a program with the usual harness; nextest, "Custom test harnesses".

use std::process::ExitCode;

use crate::programs;

/// A test's name and what it does.
pub type Test = (&'static str, fn());

/// The tests of these names.
#[macro_export]
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        &[$((stringify!($test), $test as fn())),*]
    };
}

/// Runs, or lists, what the command line asks for, in this thread and as root; the first test that fails ends the
/// program. `long` are ignored unless asked for.
pub fn run(tests: &[Test], long: &[Test]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    for (name, test) in chosen(&args, tests, long) {
        if is_given(&args, "--list") {
            println!("{name}: test");
        } else {
            programs::need_root();
            test();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

fn chosen(args: &[String], tests: &[Test], long: &[Test]) -> Vec<Test> {
    let [listed, ignored, included, exact] =
        ["--list", "--ignored", "--include-ignored", "--exact"].map(|flag| is_given(args, flag));
    // The value of `--format` is no filter.
    let mut words = args.iter().map(String::as_str);
    let mut filters = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "--format" | "--color" | "--test-threads" | "--skip" | "-Z" => drop(words.next()),
            _ if word.starts_with('-') => {}
            _ => filters.push(word),
        }
    }
    let wanted = |name: &str| {
        let fits = |filter: &&str| {
            if exact {
                name == *filter
            } else {
                name.contains(*filter)
            }
        };
        filters.is_empty() || filters.iter().any(fits)
    };
    let usual = tests.iter().filter(|_| !ignored);
    let long = long.iter().filter(|_| ignored || included || listed);
    usual
        .chain(long)
        .filter(|(name, _)| wanted(name))
        .copied()
        .collect()
}

fn is_given(args: &[String], flag: &str) -> bool {
    args.iter().any(|arg| arg == flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short() {}
    fn shorter() {}
    fn long() {}

    fn names(line: &str) -> Vec<&'static str> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let found = chosen(&args, tests![short, shorter], tests![long]);
        found.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_cargo_and_nextest_ask() {
        assert_eq!(names(""), ["short", "shorter"]);
        assert_eq!(names("--list --format terse"), ["short", "shorter", "long"]);
        assert_eq!(names("--list --format terse --ignored"), ["long"]);
        assert_eq!(names("short --exact --nocapture"), ["short"]);
        assert_eq!(names("long --exact --nocapture --ignored"), ["long"]);
        assert_eq!(names("short"), ["short", "shorter"]);
        assert_eq!(names("long"), [""; 0]);
        assert_eq!(names("--include-ignored"), ["short", "shorter", "long"]);
    }
}
