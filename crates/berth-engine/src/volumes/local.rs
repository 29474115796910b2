//! The options of the driver `local`: `type`, `device` and `o`, as mount(8) has them.
//!
//! They are kept as they are and become a mount of each container that uses the volume: nothing is mounted on the
//! host, so nothing stays there. A `tmpfs` is therefore each container's own.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs as _;

use crate::Error;

/// What a container mounts in the place of the volume's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    /// `bind`, or a type of file system.
    pub kind: String,
    /// Path, device or what else the type takes.
    pub source: String,
    /// As of mount(8).
    pub options: Vec<String>,
}

/// Refuses options that no mount can have, in Docker's words.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn check(name: &str, options: &BTreeMap<String, String>) -> Result<(), Error> {
    let refused = |what: String, hint: &str| {
        Err(Error::Invalid {
            message: format!("create {name}: {what}"),
            hint: Some(hint.to_owned()),
        })
    };
    let known = ["type", "o", "device", "size"];
    if let Some(other) = options.keys().find(|key| !known.contains(&key.as_str())) {
        return refused(
            format!("invalid option: \"{other}\""),
            "the driver `local` knows type, device and o, as mount(8) does",
        );
    }
    if options.contains_key("size") {
        return refused(
            "quota size requested but no quota support".to_owned(),
            "-o type=tmpfs -o device=tmpfs -o o=size=64m has a size",
        );
    }
    if options.is_empty() {
        return Ok(());
    }
    if let Some(missing) = ["device", "type"]
        .into_iter()
        .find(|key| !options.contains_key(*key))
    {
        return refused(
            format!("missing required option: \"{missing}\""),
            "-o type=none -o o=bind -o device=/path is a directory of the host",
        );
    }
    let mount = parse(options);
    if mount.kind == "bind" && !mount.source.starts_with('/') {
        return refused(
            format!("`{}` is not an absolute path", mount.source),
            "give the directory in full",
        );
    }
    if mount.kind.is_empty() || mount.kind.contains(|c: char| c.is_whitespace() || c == '/') {
        return refused(
            format!("`{}` is not a type of file system", mount.kind),
            "such as nfs, tmpfs, ext4; none for a bind",
        );
    }
    Ok(())
}

/// The mount that options ask for; `None`: the volume is its directory.
///
/// # Errors
/// [`Error::Invalid`] when the address of an NFS server cannot be found.
pub(crate) fn mount(
    name: &str,
    options: &BTreeMap<String, String>,
) -> Result<Option<VolumeMount>, Error> {
    if options.is_empty() {
        return Ok(None);
    }
    let mut mount = parse(options);
    if mount.kind.starts_with("nfs") || mount.kind == "cifs" {
        for option in &mut mount.options {
            if let Some(host) = option.strip_prefix("addr=") {
                *option = format!("addr={}", address(name, host)?);
            }
        }
    }
    Ok(Some(mount))
}

fn parse(options: &BTreeMap<String, String>) -> VolumeMount {
    let option = |key: &str| options.get(key).map_or("", String::as_str);
    let words = option("o").split(',').filter(|word| !word.is_empty());
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    let binds = |word: &String| word == "bind" || word == "rbind";
    let kind = option("type");
    if kind == "bind" || words.iter().any(binds) {
        if !words.iter().any(binds) {
            words.push("bind".to_owned());
        }
        return VolumeMount {
            kind: "bind".to_owned(),
            source: option("device").to_owned(),
            options: words,
        };
    }
    VolumeMount {
        kind: kind.to_owned(),
        source: option("device").to_owned(),
        options: words,
    }
}

/// The kernel takes addresses only.
fn address(name: &str, host: &str) -> Result<std::net::IpAddr, Error> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let found = (host, 0).to_socket_addrs();
    found
        .ok()
        .and_then(|mut found| found.next())
        .map(|address| address.ip())
        .ok_or_else(|| Error::Invalid {
            message: format!("the server of the volume {name}, `{host}`, has no address"),
            hint: Some("is its name right, and does this host resolve it?".to_owned()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_refused() {
        for (pairs, words) in [
            (&[("foo", "1")][..], "invalid option: \"foo\""),
            (&[("size", "1g")], "no quota support"),
            (&[("o", "bind")], "missing required option: \"device\""),
            (
                &[("o", "bind"), ("device", "/x")],
                "missing required option: \"type\"",
            ),
            (
                &[("type", "none"), ("o", "bind"), ("device", "x")],
                "not an absolute path",
            ),
            (&[("type", ""), ("device", "/x")], "not a type"),
            (&[("type", "../x"), ("device", "/x")], "not a type"),
        ] {
            let error = check("vv", &options(pairs)).unwrap_err().to_string();
            assert!(
                error.starts_with("create vv: ") && error.contains(words),
                "{error}"
            );
        }
        check("vv", &options(&[])).unwrap();
    }

    #[test]
    fn what_is_mounted() {
        let nfs = [
            ("type", "nfs"),
            ("device", ":/export"),
            ("o", "addr=127.0.0.1,rw"),
        ];
        for (pairs, kind, source, words) in [
            (
                &[("type", "none"), ("o", "bind,ro"), ("device", "/x")][..],
                "bind",
                "/x",
                "bind,ro",
            ),
            (&[("type", "bind"), ("device", "/x")], "bind", "/x", "bind"),
            (
                &[
                    ("type", "tmpfs"),
                    ("device", "tmpfs"),
                    ("o", "size=1m,uid=5"),
                ],
                "tmpfs",
                "tmpfs",
                "size=1m,uid=5",
            ),
            (&nfs, "nfs", ":/export", "addr=127.0.0.1,rw"),
        ] {
            let mount = mount("vv", &options(pairs)).unwrap().unwrap();
            let found = (&*mount.kind, &*mount.source, &*mount.options.join(","));
            assert_eq!(found, (kind, source, words));
        }
        assert_eq!(mount("vv", &options(&[])).unwrap(), None);
        let unknown = options(&[
            ("type", "nfs"),
            ("device", ":/x"),
            ("o", "addr=no.such.invalid"),
        ]);
        assert!(mount("vv", &unknown).is_err());
    }
}
