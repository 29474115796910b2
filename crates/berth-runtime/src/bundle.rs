//! The bundle: `config.json`, read once, capped, and checked before anything acts on it.
//!
//! Source: OCI runtime-spec, bundle.md and config.md.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use berth_oci::spec::{Process, Spec};
use serde::de;

use crate::error::{Error, Result, invalid};
use crate::strict::{self, Found};
use crate::validate;

/// Bytes of a `config.json`; real ones are below 100 KiB.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Settings of the specification that this runtime does not have, by their path. To ignore one would be
/// to forget a limit or a promise, so they are refused by name.
const UNSUPPORTED: &[&str] = &["freebsd", "solaris", "vm", "windows", "zos"];

/// Reads and checks `config.json` of a bundle.
///
/// # Errors
/// [`Error::ReadFile`], [`Error::ParseJson`], [`Error::InvalidSpec`].
pub fn load(bundle: &Path) -> Result<Spec> {
    let spec: Spec = parse(&bundle.join("config.json"), "", UNSUPPORTED)?;
    validate::spec(&spec)?;
    Ok(spec)
}

/// Reads a process to be started in a container: a file of its own, with what a `config.json` has below
/// `process`. Who starts it checks it.
///
/// # Errors
/// [`Error::ReadFile`], [`Error::ParseJson`], [`Error::InvalidSpec`].
pub fn load_process(path: &Path) -> Result<Process> {
    parse(path, "process", UNSUPPORTED)
}

/// Reads a JSON file strictly: capped, duplicate keys refused.
///
/// # Errors
/// [`Error::ReadFile`], [`Error::ParseJson`].
pub fn read_json<T: de::DeserializeOwned>(path: &Path) -> Result<T> {
    parse(path, "", &[])
}

/// Parses strictly what is at `place` of a `config.json`; a setting that is to be refused is an error.
fn parse<T: de::DeserializeOwned>(path: &Path, place: &str, refused: &[&str]) -> Result<T> {
    let fail = |source| Error::ParseJson {
        path: path.to_owned(),
        source,
    };
    let bytes = read_capped(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|e| fail(de::Error::custom(e)))?;
    let value = serde_json::from_str(text).map_err(fail)?;
    match strict::look(text, place, refused) {
        None => Ok(value),
        Some(Found::Setting(setting)) => invalid(format!("{setting} is not supported")),
        Some(Found::Deep) => Err(fail(de::Error::custom("recursion limit exceeded"))),
        Some(Found::Twice(key)) => {
            let twice = format_args!("duplicate key `{key}`");
            Err(fail(de::Error::custom(twice)))
        }
    }
}

fn read_capped(path: &Path) -> Result<Vec<u8>> {
    let fail = |source| Error::ReadFile {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(fail)?;
    let mut bytes = Vec::with_capacity(16 << 10);
    file.take(MAX_CONFIG_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        let too_big = format!("it is bigger than {MAX_CONFIG_BYTES} bytes");
        return Err(fail(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            too_big,
        )));
    }
    Ok(bytes)
}

/// The directory that `root.path` names: relative to the bundle.
pub fn root_path(bundle: &Path, spec: &Spec) -> PathBuf {
    bundle.join(
        spec.root
            .as_ref()
            .map_or(Path::new("rootfs"), |root| root.path.as_path()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> std::result::Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), text).unwrap();
        load(dir.path()).map(drop).map_err(|e| e.to_string())
    }

    fn with_process(process: &str) -> String {
        format!(
            r#"{{"ociVersion":"1.0.0","process":{{"cwd":"/","args":["x"],"user":{{"uid":0,"gid":0}}{process}}}}}"#
        )
    }

    #[test]
    fn a_small_one_is_accepted_and_twins_are_not() {
        check(&with_process("")).unwrap();
        check(r#"{"ociVersion":"1.0.0","ociVersion":"1.0.0"}"#).unwrap_err();
        check(r#"{"ociVersion":"1.0.0","annotations":{"a":"1","\u0061":"2"}}"#).unwrap_err();
        check(r#"{"ociVersion":"2.0.0"}"#).unwrap_err();
        check("").unwrap_err();
        check(&format!(
            "{}{}",
            with_process(""),
            " ".repeat(MAX_CONFIG_BYTES as usize)
        ))
        .unwrap_err();
    }

    /// R20.
    #[test]
    fn ids_beyond_31_bits_are_refused() {
        for (id, good) in [
            ("2147483647", true),
            ("2147483648", false),
            ("4294967295", false),
            ("4294967296", false),
            ("-1", false),
        ] {
            for place in [
                format!(r#""uid":{id},"gid":0"#),
                format!(r#""uid":0,"gid":{id}"#),
                format!(r#""uid":0,"gid":0,"additionalGids":[{id}]"#),
            ] {
                let text = with_process("").replace(r#""uid":0,"gid":0"#, &place);
                assert_eq!(check(&text).is_ok(), good, "{place}");
            }
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let linux =
            |linux: &str| check(&format!(r#"{{"ociVersion":"1.0.0","linux":{{{linux}}}}}"#));
        linux(r#""namespaces":[{"type":"mount"}]"#).unwrap();
        linux(r#""namespaces":[{"type":"mount"},{"type":"mount"}]"#).unwrap_err();
        linux(r#""namespaces":[{"type":"pid"}]"#).unwrap();
        linux(r#""namespaces":[{"type":"mount"},{"type":"user"}]"#).unwrap_err();
        linux(r#""namespaces":[{"type":"mount"}],"uidMappings":[{"containerID":0,"hostID":1,"size":1}]"#).unwrap_err();
        linux(r#""namespaces":[{"type":"mount"}],"maskedPaths":["proc"]"#).unwrap_err();
        check(&with_process(r#","rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":0},{"type":"RLIMIT_CORE","soft":1,"hard":1}]"#)).unwrap_err();
        check(&with_process("").replace(r#"["x"]"#, "[]")).unwrap_err();
        check(&with_process("").replace(r#"["x"]"#, r#"["a\u0000b"]"#)).unwrap_err();
        check(&with_process("").replace(r#""cwd":"/""#, r#""cwd":"x""#)).unwrap_err();
    }

    #[test]
    fn what_is_not_supported_is_refused_unless_empty() {
        let top = |more: &str| {
            check(&format!(
                r#"{{"ociVersion":"1.0.0",{more}"linux":{{"namespaces":[{{"type":"mount"}}]}}}}"#
            ))
        };
        for field in ["freebsd", "solaris", "vm", "windows", "zos"] {
            top(&format!(r#""{field}":{{}},"#)).unwrap();
            top(&format!(r#""{field}":null,"#)).unwrap();
            let refusal = top(&format!(r#""{field}":{{"x":[1]}},"#)).unwrap_err();
            assert!(
                refusal.contains(&format!("{field} is not supported")),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_process_of_its_own_is_read_as_strictly() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("process.json");
        let load = |more: &str| {
            let text = format!(r#"{{"cwd":"/","args":["x"],"user":{{"uid":5,"gid":0}}{more}}}"#);
            std::fs::write(&path, text).unwrap();
            load_process(&path).map_err(|e| e.to_string())
        };
        assert_eq!(load("").unwrap().user.uid, 5);
        load(r#","cwd":"/""#).unwrap_err();
    }
}
