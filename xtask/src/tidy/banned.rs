//! Calls that product code does not make, each with the place that may and the reason.

use super::Problem;
use super::source::Source;

struct Ban {
    /// Text in the code, starting and ending at a word's border.
    call: &'static str,
    /// Packages, or file names, where it is right.
    except: &'static [&'static str],
    instead: &'static str,
}

/// Those who talk to people, or to the process around them.
const FACES: &[&str] = &["berth", "berth-runtime", "xtask", "build.rs"];

const BANS: &[Ban] = &[
    Ban {
        call: "process::exit(",
        except: &["main.rs"],
        instead: "return an ExitCode from main",
    },
    Ban {
        call: "fs::write(",
        except: &["berth-fs"],
        instead: "use berth_fs: whole or not at all",
    },
    Ban {
        call: "fs::set_permissions(",
        except: &[],
        instead: "follows links: use fchmod on a descriptor",
    },
    Ban {
        call: "env::set_var(",
        except: &[],
        instead: "build the child's environment",
    },
    Ban {
        call: "env::remove_var(",
        except: &[],
        instead: "build the child's environment",
    },
    Ban {
        call: "env::var",
        except: &["berth", "berth-runtime", "xtask", "failpoint.rs"],
        instead: "only a face reads the environment",
    },
    Ban {
        call: "unsafe",
        except: &["berth-sys", "berth-monitor"],
        instead: "put it into berth-sys",
    },
    Ban {
        call: ".unwrap()",
        except: &[],
        instead: "return the error, or expect(\"why it cannot fail\")",
    },
    Ban {
        call: "println!",
        except: FACES,
        instead: "only a face prints",
    },
    Ban {
        call: "eprintln!",
        except: FACES,
        instead: "only a face prints",
    },
    Ban {
        call: "print!",
        except: FACES,
        instead: "only a face prints",
    },
];

/// Looks at all lines that are no test.
pub fn check(source: &Source) -> Vec<Problem> {
    let file_name = source.path.rsplit('/').next().unwrap_or_default();
    let mut problems = Vec::new();
    for ban in BANS {
        if ban
            .except
            .iter()
            .any(|place| *place == source.package() || *place == file_name)
        {
            continue;
        }
        let code = source.product_code();
        for (line, _) in code.filter(|(_, code)| calls(code, ban.call)) {
            let text = format!("`{}` is not used here: {}", ban.call, ban.instead);
            problems.push(Problem::error(&source.path, line, text));
        }
    }
    problems
}

/// Whether `call` stands in `code` as a word of its own.
fn calls(code: &str, call: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(call).any(|(at, _)| {
        let begins = !call.starts_with(word) || !code[..at].ends_with(word);
        let ends = !call.ends_with(word)
            || !code[at + call.len()..].starts_with(word)
            || call.starts_with("env::");
        begins && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&Source::parse(path, text)).len()
    }

    #[test]
    fn product_code_is_checked_and_tests_are_not() {
        assert_eq!(
            problems(
                "crates/berth-store/src/a.rs",
                "fn a() { std::fs::write(p, b); }\n"
            ),
            1
        );
        assert_eq!(
            problems(
                "crates/berth-fs/src/a.rs",
                "fn a() { std::fs::write(p, b); }\n"
            ),
            0
        );
        assert_eq!(
            problems(
                "crates/berth-store/src/a/tests.rs",
                "fn a() { std::fs::write(p, b); }\n"
            ),
            0
        );
        assert_eq!(
            problems("crates/berth-store/src/a.rs", "// std::fs::write(p, b)\n"),
            0
        );
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(
            problems("crates/x/src/a.rs", "#![forbid(unsafe_code)]\n"),
            0
        );
        assert_eq!(problems("crates/x/src/a.rs", "unsafe { a() }\n"), 1);
        assert_eq!(problems("crates/x/src/a.rs", "a.unwrap_or_default();\n"), 0);
        assert_eq!(problems("crates/x/src/a.rs", "a.unwrap();\n"), 1);
        assert_eq!(problems("crates/x/src/a.rs", "std::env::var_os(x);\n"), 1);
        assert_eq!(problems("crates/x/src/a.rs", "eprintln!();\n"), 1);
    }
}
