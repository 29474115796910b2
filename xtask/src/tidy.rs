//! `xtask tidy`: the rules of CONTRIBUTING.md that neither rustfmt nor clippy knows.
//!
//! Each rule is a pure function from a file (or from cargo's metadata) to problems, and has its own tests.
//! It looks at the files that git tracks.

use std::path::Path;
use std::process::{Command, ExitCode};

mod banned;
mod edges;
mod harness;
mod headers;
mod links;
mod size;
mod source;
mod words;

use source::Source;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path in the repository.
    pub file: String,
    /// Line, from 1; 0: the whole file.
    pub line: usize,
    /// What is wrong and what to do.
    pub text: String,
    /// Only said; does not fail.
    pub warning: bool,
}

impl Problem {
    fn error(file: &str, line: usize, text: impl Into<String>) -> Problem {
        Problem {
            file: file.to_owned(),
            line,
            text: text.into(),
            warning: false,
        }
    }

    fn warning(file: &str, line: usize, text: impl Into<String>) -> Problem {
        Problem {
            file: file.to_owned(),
            line,
            text: text.into(),
            warning: true,
        }
    }
}

/// Checks the repository and prints what it finds.
pub fn run() -> ExitCode {
    match check() {
        Ok(problems) => report(&problems),
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn report(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        let word = if problem.warning { "warning" } else { "error" };
        eprintln!(
            "{word}: {}:{}: {}",
            problem.file, problem.line, problem.text
        );
    }
    let errors = problems.iter().filter(|p| !p.warning).count();
    println!(
        "tidy: {errors} errors, {} warnings",
        problems.len() - errors
    );
    if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn check() -> Result<Vec<Problem>, String> {
    let metadata =
        output(Command::new("cargo").args(["metadata", "--format-version=1", "--locked"]))?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    let root = metadata["workspace_root"]
        .as_str()
        .ok_or("cargo metadata names no workspace")?
        .to_owned();
    let root = Path::new(&root);
    let mut problems = edges::check(&metadata);

    // A clone that belongs to another user (CI in a container) is read all the same.
    let files = output(
        Command::new("git")
            .args(["-c", "safe.directory=*", "ls-files", "-z"])
            .current_dir(root),
    )?;
    for path in files.split(|b| *b == 0).filter(|p| !p.is_empty()) {
        let path = String::from_utf8_lossy(path).into_owned();
        let Ok(bytes) = std::fs::read(root.join(&path)) else {
            continue; // deleted, not yet committed
        };
        let Ok(text) = String::from_utf8(bytes) else {
            continue; // a test's binary data
        };
        let source = Source::parse(&path, &text);
        problems.extend(words::check(&source));
        if path.ends_with(".rs") {
            problems.extend(harness::check(&source));
            problems.extend(headers::check(&source));
            problems.extend(size::check(&source));
            problems.extend(banned::check(&source));
        }
        if path.ends_with(".md") {
            problems.extend(links::check(&path, &text, |target| {
                root.join(target).exists()
            }));
        }
    }
    Ok(problems)
}

fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(output.stdout)
}
