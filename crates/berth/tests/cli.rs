//! The command line itself: usage, exit codes, where output goes. Nothing here starts a container.

use std::process::{Command, Output};

struct Berth {
    state: tempfile::TempDir,
}

impl Berth {
    fn new() -> Self {
        Berth {
            state: tempfile::tempdir().expect("a directory"),
        }
    }

    /// The programs that start containers are not needed here: empty files stand for them.
    fn run(&self, args: &[&str]) -> Output {
        let libexec = self.state.path().join("libexec");
        std::fs::create_dir_all(&libexec).expect("a directory");
        for name in ["berth-runtime", "berth-monitor"] {
            std::fs::write(libexec.join(name), "").expect("a file");
        }
        Command::new(env!("CARGO_BIN_EXE_berth"))
            .env_clear()
            .env("BERTH_ROOT", self.state.path().join("root"))
            .env("BERTH_RUN_DIR", self.state.path().join("run"))
            .env("BERTH_LIBEXEC", &libexec)
            .args(args)
            .output()
            .expect("berth runs")
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_usage_has_dockers_exit_code_one_error_and_nothing_on_stdout() {
    let berth = Berth::new();
    // Flags 125; what is missing, and what is no flag, 1.
    for (args, code, says) in [
        (
            &["run"][..],
            1,
            "error: the following required arguments were not provided: <IMAGE>...",
        ),
        (
            &["run", "--nope", "img"],
            125,
            "error: unexpected argument '--nope' found",
        ),
        (
            &["run", "-e", "=x", "img"],
            125,
            "error: invalid value `=x` for `--env`",
        ),
        (
            &["run", "-v", "/a:/b:wat", "img"],
            125,
            "mount option `wat` is not known",
        ),
        (
            &["create", "--memory", "1m", "img"],
            125,
            "`1m` is too small (the least is 6m)",
        ),
        (
            &["ps", "--filter", "nope=1"],
            1,
            "error: filter `nope` is not known",
        ),
        (&["nope"], 1, "error: unrecognized subcommand 'nope'"),
        (
            &["stop", "-t", "x", "c"],
            125,
            "invalid value 'x' for '--time <SECONDS>'",
        ),
        (&["exec", "c"], 1, "error: no command was given"),
    ] {
        let output = berth.run(args);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "", "{args:?}");
        assert!(
            stderr(&output).contains(says),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn failures_of_the_engine_are_125_for_run_and_1_else() {
    let berth = Berth::new();
    for (args, code, says) in [
        (
            &["run", "--pull", "never", "no-such-image"][..],
            125,
            "error: no such image: no-such-image",
        ),
        (
            &["create", "--pull", "never", "no-such-image"],
            1,
            "error: no such image: no-such-image",
        ),
        (&["start", "nope"], 1, "error: no such container: nope"),
        (&["logs", "nope"], 1, "error: no such container: nope"),
        (&["inspect", "nope"], 1, "nope"),
        (&["stop", "a", "b"], 1, "error: no such container: b"),
        (&["ps", "--format", "{{.Nope}}"], 0, ""),
        (
            &["ps", "--format", "{{.Nope"],
            1,
            "error: cannot use the format",
        ),
    ] {
        let output = berth.run(args);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(says),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_file_for_the_id_stays_only_with_an_id_in_it() {
    let berth = Berth::new();
    let file = berth.state.path().join("cid");
    let run = || {
        let file = file.to_string_lossy();
        berth.run(&["run", "--rm", "--cidfile", &file, "--pull", "never", "none"])
    };
    let output = run();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("no such image: none"));
    assert!(!file.exists());
    // Somebody else's is left alone.
    std::fs::write(&file, "mine").expect("a file");
    let output = run();
    assert_eq!(output.status.code(), Some(125));
    assert!(
        stderr(&output).contains("--cidfile needs a file that does not exist yet"),
        "{}",
        stderr(&output)
    );
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "mine");
}

#[test]
fn rm_force_of_nothing_is_no_failure() {
    let output = Berth::new().run(&["rm", "-f", "nope"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("no such container: nope"));
}

#[test]
fn an_empty_engine_lists_nothing() {
    let berth = Berth::new();
    let table = "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n";
    assert_eq!(stdout(&berth.run(&["ps", "-a"])), table);
    assert_eq!(stdout(&berth.run(&["container", "ls"])), table);
    assert_eq!(stdout(&berth.run(&["ps", "-q"])), "");
    assert_eq!(stdout(&berth.run(&["inspect", "nope"])), "[]\n");
    assert_eq!(stdout(&berth.run(&["fsck"])), "all is well\n");
}

#[test]
fn help_and_versions_go_to_stdout() {
    let berth = Berth::new();
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["container", "--help"],
        &["--version"],
        &["version"],
        &["completion", "bash"],
    ] {
        let output = berth.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(
            !output.stdout.is_empty() && output.stderr.is_empty(),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    let run = stdout(&berth.run(&["run", "--help"]));
    assert!(
        run.contains("Usage: berth run [OPTIONS] IMAGE [COMMAND] [ARG]..."),
        "{run}"
    );
    let version = stdout(&berth.run(&["version", "--format", "{{.Client.Version}}"]));
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
    let bare = berth.run(&[]);
    assert_eq!(bare.status.code(), Some(1));
    assert!(stdout(&bare).is_empty() && stderr(&bare).contains("Usage: berth"));
}

#[test]
fn roots_are_private_and_options_win_over_the_environment() {
    use std::os::unix::fs::PermissionsExt;
    let berth = Berth::new();
    let other = berth.state.path().join("other");
    let output = berth.run(&["--root", &other.to_string_lossy(), "ps"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mode = std::fs::metadata(&other)
        .expect("the root")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(!berth.state.path().join("root").exists());
}

#[test]
fn a_missing_helper_is_named() {
    let berth = Berth::new();
    let output = berth.run(&["--libexec", "/nonexistent", "ps"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("cannot find `berth-runtime` in `/nonexistent`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_closed_standard_output_ends_the_command_quietly() {
    let berth = Berth::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .env("BERTH_ROOT", berth.state.path().join("root"))
        .args(["completion", "bash"])
        .stdout(writer)
        .output()
        .expect("berth runs");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "");
}
