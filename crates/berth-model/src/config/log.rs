//! Logs: which driver keeps the output, and how much of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogConfig {
    /// `json-file`, `local`, `none`, …
    pub driver: String,
    /// Rotate before a file grows past this.
    pub max_bytes: u64,
    /// Files kept, the current one included.
    pub max_files: u32,
    /// The driver's options as asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
}

/// Options that choose what each record says of the container.
const ATTRIBUTES: [&str; 3] = ["labels", "env", "tag"];

impl LogConfig {
    /// A driver (empty: the default) with its options.
    ///
    /// # Errors
    /// A sentence: no such driver or option, or a value that makes no sense.
    pub fn new(driver: &str, options: BTreeMap<String, String>) -> Result<LogConfig, String> {
        let mut log = LogConfig::default();
        match driver {
            "" | "json-file" => {}
            "local" => {
                log.max_bytes = 20 << 20;
                log.max_files = 5;
            }
            "none" => {}
            _ => {
                return Err(format!(
                    "there is no log driver `{driver}` (json-file, local, none)"
                ));
            }
        }
        if !driver.is_empty() {
            driver.clone_into(&mut log.driver);
        }
        for (name, value) in &options {
            log.set(name, value)?;
        }
        log.options = options;
        Ok(log)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let bad = |what: &str| format!("log option `{name}`: `{value}` is not {what}");
        match name {
            _ if self.driver == "none" => {
                return Err(format!("the log driver `none` has no option `{name}`"));
            }
            "max-size" if value == "-1" => self.max_bytes = u64::MAX,
            "max-size" => {
                let bytes = crate::size::bytes(value).ok().filter(|bytes| *bytes > 0);
                self.max_bytes = bytes.ok_or_else(|| bad("a size above 0"))?;
            }
            "max-file" => {
                let files = value.parse().ok().filter(|files| *files >= 1);
                self.max_files = files.ok_or_else(|| bad("a number of files"))?;
            }
            "compress" if value == "false" => {}
            "compress" => return Err("old files of a log are not compressed".to_owned()),
            "mode" if value == "blocking" => {}
            "mode" => return Err(bad("a mode of delivery (blocking)")),
            _ if ATTRIBUTES.contains(&name) => {}
            _ => {
                return Err(format!(
                    "the log driver `{}` has no option `{name}`",
                    self.driver
                ));
            }
        }
        Ok(())
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            driver: "json-file".into(),
            max_bytes: 10 << 20,
            max_files: 3,
            options: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(driver: &str, options: &[(&str, &str)]) -> Result<LogConfig, String> {
        let options = options.iter();
        let options = options.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        LogConfig::new(driver, options.collect())
    }

    #[test]
    fn drivers_and_their_options() {
        let made = |driver: &str, options: &[(&str, &str)]| {
            let log = with(driver, options).unwrap();
            (log.driver, log.max_bytes, log.max_files)
        };
        assert_eq!(made("", &[]), ("json-file".into(), 10 << 20, 3));
        assert_eq!(made("local", &[]), ("local".into(), 20 << 20, 5));
        let asked = [("max-size", "1m"), ("max-file", "2"), ("tag", "x")];
        assert_eq!(made("json-file", &asked), ("json-file".into(), 1 << 20, 2));
        assert_eq!(with("json-file", &asked).unwrap().options["tag"], "x");
        assert_eq!(made("json-file", &[("max-size", "-1")]).1, u64::MAX);
        assert_eq!(made("none", &[]).0, "none");
        for (driver, name, value) in [
            ("syslog", "tag", "x"),
            ("none", "max-size", "1m"),
            ("", "max-size", "0"),
            ("", "max-size", "x"),
            ("", "max-file", "0"),
            ("", "compress", "true"),
            ("", "mode", "sometimes"),
            ("", "colour", "red"),
        ] {
            assert!(
                with(driver, &[(name, value)]).is_err(),
                "{driver} {name}={value}"
            );
        }
    }
}
