//! Where projects are found.

use super::*;
use crate::files::Memory;

fn disk(files: &[(&str, &str)]) -> Memory {
    Memory(
        files
            .iter()
            .map(|(path, text)| ((*path).into(), (*text).to_owned()))
            .collect(),
    )
}

fn place(directory: &str) -> Where {
    Where {
        directory: directory.to_owned(),
        ..Where::default()
    }
}

#[test]
fn the_usual_names_here_and_above() {
    let files = disk(&[
        ("/a/compose.yml", ""),
        ("/a/docker-compose.yml", ""),
        ("/a/compose.override.yaml", ""),
    ]);
    for directory in ["/a", "/a/b/c"] {
        let found = locate(&files, &place(directory)).unwrap();
        assert_eq!(found.files, ["/a/compose.yml", "/a/compose.override.yaml"]);
        assert_eq!(found.directory, "/a");
        assert_eq!(found.warnings.len(), 1);
    }
    let error = locate(&files, &place("/b")).unwrap_err();
    assert!(matches!(error, Error::NoFile { .. }));
}

#[test]
fn named_files_and_directories() {
    let files = disk(&[]);
    let named = Where {
        files: vec!["x/one.yml".into(), "../two.yml".into()],
        ..place("/a")
    };
    let found = locate(&files, &named).unwrap();
    assert_eq!(found.files, ["/a/x/one.yml", "/two.yml"]);
    assert_eq!(found.directory, "/a/x");
    let named = Where {
        project_directory: Some("p".into()),
        ..named
    };
    assert_eq!(locate(&files, &named).unwrap().directory, "/a/p");
    let input = Where {
        files: vec!["-".into()],
        ..place("/a")
    };
    assert_eq!(locate(&files, &input).unwrap().directory, "/a");
}

#[test]
fn variables_of_files_are_below_the_callers() {
    let files = disk(&[
        (
            "/a/.env",
            "A=file\nB=file\nCOMPOSE_FILE=x.yml:y.yml\nC=${A}",
        ),
        ("/a/other.env", "B=other"),
    ]);
    let mut here = place("/a");
    here.environment.insert("A".into(), "caller".into());
    let found = locate(&files, &here).unwrap();
    assert_eq!(found.files, ["/a/x.yml", "/a/y.yml"]);
    let value = |found: &Found, name: &str| found.variables.get(name).cloned().unwrap_or_default();
    assert_eq!(
        [value(&found, "A"), value(&found, "B"), value(&found, "C")],
        ["caller", "file", "caller"]
    );

    here.env_files = vec!["other.env".into()];
    here.files = vec!["x.yml".into()];
    let found = locate(&files, &here).unwrap();
    assert_eq!(value(&found, "B"), "other");

    here.env_files = vec!["no.env".into()];
    assert!(matches!(locate(&files, &here), Err(Error::Read { .. })));
    here.env_files.clear();
    here.environment
        .insert("COMPOSE_DISABLE_ENV_FILE".into(), "1".into());
    assert_eq!(value(&locate(&files, &here).unwrap(), "B"), "");
}

#[test]
fn the_place_of_nonsense_in_env_files_is_told() {
    let files = disk(&[("/a/.env", "A=1\nB B=2\n"), ("/a/compose.yaml", "")]);
    let error = locate(&files, &place("/a")).unwrap_err();
    assert!(error.to_string().starts_with(".env:2:1: "), "{error}");
}
