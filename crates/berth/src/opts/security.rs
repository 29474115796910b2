//! `--security-opt`, `--log-opt` and other options with a small vocabulary.

use std::path::Path;

use berth_model::config::{LogConfig, SecurityConfig};
use berth_oci::Platform;

use super::Parsed;

/// Applies one `--security-opt`, and returns the setting that it makes.
pub fn security(text: &str, into: &mut SecurityConfig) -> Parsed<&'static str> {
    into.set_option(text, |path| profile(Path::new(path)))
}

fn profile(path: &Path) -> Parsed<String> {
    let text = super::read(path)?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text)
        .map_err(|e| format!("`{}` is not a seccomp profile: {e}", path.display()))?;
    Ok(text)
}

/// The log driver and its options, over the defaults.
pub fn log(driver: Option<&str>, options: &[String]) -> Parsed<Option<LogConfig>> {
    if driver.is_none() && options.is_empty() {
        return Ok(None);
    }
    let pairs: Parsed<_> = options.iter().map(|text| super::annotation(text)).collect();
    LogConfig::new(driver.unwrap_or_default(), pairs?).map(Some)
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
    use berth_model::config::SeccompChoice;

    use super::*;

    #[test]
    fn security_options_fail_closed() {
        let mut config = SecurityConfig::default();
        for good in [
            "no-new-privileges",
            "seccomp=unconfined",
            "apparmor=unconfined",
            "label=disable",
            "label:type:container_t",
            "apparmor=docker-default",
            "systempaths=unconfined",
            "no-new-privileges:true",
        ] {
            assert!(security(good, &mut config).is_ok(), "{good}");
        }
        assert!(config.no_new_privileges);
        assert_eq!(config.seccomp, SeccompChoice::Unconfined);
        for bad in [
            "",
            "seccomp",
            "seccomp=",
            "seccomp=/nonexistent",
            "apparmor=",
            "label=x",
            "systempaths=x",
            "no-new-privileges=maybe",
        ] {
            assert!(security(bad, &mut config).is_err(), "{bad}");
        }
    }

    #[test]
    fn small_vocabularies() {
        let got = log(None, &["max-size=1m".into(), "max-file=2".into()]).expect("log");
        assert_eq!(
            got,
            Some(LogConfig {
                driver: "json-file".into(),
                max_bytes: 1 << 20,
                max_files: 2,
                options: [("max-size", "1m"), ("max-file", "2")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            })
        );
        for bad in ["max-size=x", "max-file=0", "compress=true", "max-size"] {
            assert!(log(None, &[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(log(Some("fluentd"), &[]).is_err());
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
