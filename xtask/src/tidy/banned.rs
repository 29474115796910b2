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

/// Calls by which berth-runtime would change something by its path. Below a container's root a path means
/// what the image makes of it, so there everything goes through descriptors (security: P1).
const BY_PATH: &[&str] = &[
    "fs::chmod(",
    "fs::chown(",
    "fs::copy(",
    "fs::create_dir(",
    "fs::create_dir_all(",
    "fs::hard_link(",
    "fs::lchown(",
    "fs::link(",
    "fs::mkdir(",
    "fs::remove_dir(",
    "fs::remove_dir_all(",
    "fs::remove_file(",
    "fs::rename(",
    "fs::rmdir(",
    "fs::symlink(",
    "fs::unlink(",
    "File::create(",
    "mount::mount(",
    "mount::mount_bind(",
    "mount::mount_bind_recursive(",
    "mount::mount_change(",
    "mount::mount_move(",
    "mount::mount_remount(",
    "mount::unmount(",
];

/// Where these paths are the runtime's own: its state, its cgroups, descriptors in the host's procfs.
const OWN_PATHS: &[&str] = &[
    "claim.rs",
    "cmd/notify.rs",
    "mount_by_path.rs",
    "rdt.rs",
    "rootfs.rs",
    "shim/record.rs",
    "state.rs",
    "state/fifo.rs",
];

/// Looks at all lines that are no test.
pub fn check(source: &Source) -> Vec<Problem> {
    let file_name = source.path.rsplit('/').next().unwrap_or_default();
    let mut problems = by_path(source);
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

fn by_path(source: &Source) -> Vec<Problem> {
    let own = |file: &&str| source.path.ends_with(&format!("berth-runtime/src/{file}"));
    if source.package() != "berth-runtime" || OWN_PATHS.iter().any(own) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (line, code) in source.product_code() {
        for call in BY_PATH.iter().filter(|call| calls(code, call)) {
            let text =
                format!("`{call}…)` takes a path: below a container's root use a descriptor");
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

    /// Security: P1.
    #[test]
    fn the_runtime_changes_nothing_by_path() {
        let bind = "fn a() { rustix::mount::mount_bind(a, b); }\n";
        for (path, found) in [
            ("crates/berth-runtime/src/mounts.rs", 1),
            ("crates/berth-runtime/src/state.rs", 0),
            ("crates/berth-runtime/src/shim/state.rs", 1),
            ("crates/berth-runtime/tests/mounts.rs", 0),
            ("crates/berth-store/src/a.rs", 0),
        ] {
            assert_eq!(problems(path, bind), found, "{path}");
        }
        let at = "fn a() { rustix::fs::symlinkat(a, b, c); rustix::fs::mkdirat(a, b, c); }\n";
        assert_eq!(problems("crates/berth-runtime/src/mounts.rs", at), 0);
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
