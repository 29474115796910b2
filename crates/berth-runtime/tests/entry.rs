//! How the program begins: it does without what std does before `main`, and has to do the needed part itself.

use std::process::{Command, Output};

fn version(redirections: &str) -> Output {
    Command::new("sh")
        .args(["-c", &format!(r#"exec "$0" --version {redirections}"#)])
        .arg(env!("CARGO_BIN_EXE_berth-runtime"))
        .output()
        .expect("sh is there")
}

/// A file that the runtime opens must not become somebody's standard stream.
#[test]
fn closed_streams_are_taken_by_the_null_device() {
    for (redirections, tells) in [("", true), ("0<&- 2>&-", true), ("0<&- 1>&- 2>&-", false)] {
        let done = version(redirections);
        assert!(done.status.success(), "{redirections}: {done:?}");
        assert_eq!(
            done.stdout.starts_with(b"berth-runtime"),
            tells,
            "{redirections}"
        );
    }
}

/// Not a signal to die of.
#[test]
fn a_closed_pipe_is_an_error() {
    let script = r#"{ sleep 0.2; "$0" features; echo "code $?" >&2; } | true"#;
    let done = Command::new("sh")
        .args(["-c", script])
        .arg(env!("CARGO_BIN_EXE_berth-runtime"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        told.contains("standard output") && !told.contains("code 141"),
        "{told}"
    );
}
