//! Helpers as small scripts.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A helper called `test` with this script.
fn helper(directory: &Path, script: &str) -> Helper {
    let path = directory.join("docker-credential-test");
    // Written by another process: one that forks at the same time would keep the file busy for writing.
    let written = Command::new("sh")
        .args(["-c", "printf '#!/bin/sh\n%s' \"$1\" > \"$0\""])
        .arg(&path)
        .arg(script)
        .status();
    assert!(written.unwrap().success());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut helper = Helper::find("test", &[directory.to_owned()]).unwrap();
    helper.deadline = Duration::from_secs(2);
    helper
}

fn get(script: &str) -> Result<Option<Login>, Error> {
    let directory = tempfile::tempdir().unwrap();
    helper(directory.path(), script).get(&Server::parse("r.example").unwrap())
}

#[test]
fn answers_are_understood() {
    let echo =
        r#"read server; printf '{"ServerURL":"%s","Username":"u-%s","Secret":"p"}' "$server" "$1""#;
    let login = Login::Basic {
        username: "u-get".into(),
        password: Secret::new("p"),
    };
    assert_eq!(get(echo).unwrap(), Some(login));
    let token = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
    assert_eq!(get(token).unwrap(), Some(Login::Identity(Secret::new("t"))));
    let absent = "echo credentials not found in native keychain; exit 1";
    assert_eq!(get(absent).unwrap(), None);
    assert_eq!(get(r#"echo '{"Username":"","Secret":""}'"#).unwrap(), None);
}

/// G3: what a helper does wrong is an error, never an empty login, and its words are kept short.
#[test]
fn failures_are_told() {
    for (script, word) in [
        (
            "echo the keyring is locked; exit 1",
            "the keyring is locked",
        ),
        ("exit 3", "does not say why"),
        (
            "echo '{\"Username\": \"secret-in-bad-json\"'",
            "not as agreed",
        ),
        ("exec yes", "says too much"),
        ("exec sleep 60", "did not answer"),
        ("exec >&-; exec sleep 60", "does not end"),
        ("printf 'a\\033[2Jb'; exit 1", "a [2Jb"),
    ] {
        let error = get(script).unwrap_err().to_string();
        assert!(error.contains(word), "{script}: {error}");
        assert!(error.contains("docker-credential-test") && error.contains("r.example"));
        assert!(!error.contains("secret-in-bad-json"), "{error}");
    }
}

#[test]
fn a_helper_that_does_not_read_is_no_harm() {
    assert_eq!(get("exec <&-; echo '{}'").unwrap(), None);
}

/// The name stands in a file that others write too.
#[test]
fn names_cannot_lead_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    helper(directory.path(), "exit 0");
    for name in [
        "../docker-credential-test",
        "x/../test",
        "test\0",
        "",
        "a b",
    ] {
        let found = Helper::find(name, &[directory.path().to_owned()]);
        assert!(matches!(found, Err(Error::NoHelper { .. })), "{name}");
    }
    // A file that is no program is none.
    std::fs::write(directory.path().join("docker-credential-text"), "").unwrap();
    assert!(Helper::find("text", &[directory.path().to_owned()]).is_err());
}
