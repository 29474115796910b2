//! `--security-opt`, `--network`, `--log-opt` and other options with a small vocabulary.

use std::path::Path;

use berth_model::config::{LogConfig, NetworkMode, SeccompChoice, SecurityConfig};
use berth_oci::Platform;

use super::{Parsed, number};

/// Applies one `--security-opt`. What this host or engine cannot enforce is refused, never ignored.
pub fn security(text: &str, into: &mut SecurityConfig) -> Parsed<()> {
    let (key, value) = match text.split_once('=').or_else(|| text.split_once(':')) {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    match (key, value) {
        ("no-new-privileges", None | Some("true")) => into.no_new_privileges = true,
        ("no-new-privileges", Some("false")) => into.no_new_privileges = false,
        ("seccomp", Some("unconfined")) => into.seccomp = SeccompChoice::Unconfined,
        ("seccomp", Some("builtin" | "default")) => into.seccomp = SeccompChoice::Default,
        ("seccomp", Some(path)) if !path.is_empty() => {
            into.seccomp = SeccompChoice::Custom(profile(Path::new(path))?)
        }
        // Nothing is asked for that is not so already.
        ("apparmor", Some("unconfined")) | ("label", Some("disable")) => {}
        ("apparmor", Some(_)) => return Err(format!("`{text}`: this host has no AppArmor")),
        ("label", Some(_)) => return Err(format!("`{text}`: this host has no SELinux")),
        _ => return Err(format!("security option `{text}` is not known")),
    }
    Ok(())
}

fn profile(path: &Path) -> Parsed<String> {
    let text = super::read(path)?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text)
        .map_err(|e| format!("`{}` is not a seccomp profile: {e}", path.display()))?;
    Ok(text)
}

/// `none`, `host`, `bridge`, `container:NAME`.
pub fn network(text: &str) -> Parsed<NetworkMode> {
    text.parse()
}

/// The log driver and its options, over the defaults.
pub fn log(driver: Option<&str>, options: &[String]) -> Parsed<Option<LogConfig>> {
    if driver.is_none() && options.is_empty() {
        return Ok(None);
    }
    let mut log = LogConfig::default();
    match driver {
        None | Some("json-file" | "none") => log.driver = driver.unwrap_or("json-file").to_owned(),
        Some(other) => {
            return Err(format!(
                "log driver `{other}` does not exist; available: json-file, none"
            ));
        }
    }
    for option in options {
        match option.split_once('=') {
            Some(("max-size", "-1")) => log.max_bytes = u64::MAX,
            Some(("max-size", value)) => log.max_bytes = number::bytes(value)?,
            Some(("max-file", value)) => {
                log.max_files = value
                    .parse()
                    .ok()
                    .filter(|n| *n >= 1)
                    .ok_or_else(|| format!("`{value}` is not a number of files"))?;
            }
            _ => {
                return Err(format!(
                    "log option `{option}` is not known (max-size=…, max-file=…)"
                ));
            }
        }
    }
    if log.max_bytes == 0 {
        return Err("max-size must be above 0".into());
    }
    Ok(Some(log))
}

/// `os/arch[/variant]`.
pub fn platform(text: &str) -> Parsed<Platform> {
    let parsed = Platform::parse(text).ok().filter(|_| text.contains('/'));
    parsed.ok_or_else(|| format!("`{text}` is not a platform (such as linux/arm64)"))
}

/// A host name: labels of letters, digits and hyphens, at most 64 bytes.
pub fn hostname(text: &str) -> Parsed<String> {
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text.len() <= 64 && text.split('.').all(label) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a host name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_options_fail_closed() {
        let mut config = SecurityConfig::default();
        for good in [
            "no-new-privileges",
            "seccomp=unconfined",
            "apparmor=unconfined",
            "label=disable",
            "no-new-privileges:true",
        ] {
            assert_eq!(security(good, &mut config), Ok(()), "{good}");
        }
        assert!(config.no_new_privileges);
        assert_eq!(config.seccomp, SeccompChoice::Unconfined);
        for bad in [
            "",
            "seccomp",
            "seccomp=",
            "seccomp=/nonexistent",
            "apparmor=docker-default",
            "label=type:x",
            "systempaths=unconfined",
            "no-new-privileges=maybe",
        ] {
            assert!(security(bad, &mut config).is_err(), "{bad}");
        }
    }

    #[test]
    fn small_vocabularies() {
        assert!(network("lan").is_err());
        let got = log(None, &["max-size=1m".into(), "max-file=2".into()]).expect("log");
        assert_eq!(
            got,
            Some(LogConfig {
                driver: "json-file".into(),
                max_bytes: 1 << 20,
                max_files: 2,
                ..LogConfig::default()
            })
        );
        for bad in ["max-size=x", "max-file=0", "compress=true", "max-size"] {
            assert!(log(None, &[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(log(Some("syslog"), &[]).is_err());
        assert!(
            platform("linux").is_err()
                && platform("linux/").is_err()
                && platform("linux/arm/v7").is_ok()
        );
        assert!(hostname("web-1.example").is_ok());
        for bad in ["", "-a", "a..b", "a b", &"a".repeat(65)] {
            assert!(hostname(bad).is_err(), "{bad}");
        }
    }
}
