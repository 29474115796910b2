//! Logs: which driver keeps the output, how much of it, and who is told besides.
//!
//! Source: Docker's documentation, "Configure logging drivers" and the page of each driver.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogConfig {
    /// One of [`DRIVERS`].
    pub driver: String,
    /// Rotate before a file grows past this.
    pub max_bytes: u64,
    /// Files kept, the current one included.
    pub max_files: u32,
    /// The driver's options as asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
}

/// The drivers that there are.
pub const DRIVERS: [&str; 5] = ["journald", "json-file", "local", "none", "syslog"];

/// Options of every driver that keeps anything: what each record says of the container, and how it is delivered.
const OF_ALL: &[&str] = &["labels", "env", "tag", "mode", "max-buffer-size"];
/// Options of the drivers whose log is a file.
const OF_FILES: &[&str] = &["max-size", "max-file", "compress"];
/// Options of the others' copy on this machine, which `logs` reads.
const OF_CACHES: &[&str] = &[
    "cache-disabled",
    "cache-max-size",
    "cache-max-file",
    "cache-compress",
];
const OF_SYSLOG: &[&str] = &["syslog-address", "syslog-facility", "syslog-format"];
/// Of syslog over TLS.
const OF_TLS: &[&str] = &[
    "syslog-tls-ca-cert",
    "syslog-tls-cert",
    "syslog-tls-key",
    "syslog-tls-skip-verify",
];

/// The forms of a syslog message; the first, without a host name, is the default.
pub const SYSLOG_FORMATS: [&str; 4] = ["", "rfc3164", "rfc5424", "rfc5424micro"];

/// Names of syslog's facilities by number. Source: RFC 5424, 6.2.1; Docker's documentation for the names.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Bytes of records that wait for a receiver with `mode=non-blocking`, unless asked otherwise. Source: as above.
const BUFFER: u64 = 1 << 20;
/// At least so many: one record with all that is said of it fits.
const LEAST_BUFFER: u64 = 64 << 10;
const MOST_BUFFER: u64 = 1 << 30;

/// Where syslog's messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// The machine's own, where it is found.
    Local,
    /// A socket of packets, or of a stream.
    Unix {
        /// Its path.
        path: String,
        /// A stream.
        stream: bool,
    },
    /// Over the network by UDP, or by a TCP stream.
    Network {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// TCP.
        stream: bool,
    },
}

/// How records are delivered to who is told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// A receiver that does not keep up holds the container back; else records are dropped.
    pub blocking: bool,
    /// Bytes of records that may wait.
    pub buffer_bytes: u64,
}

impl LogConfig {
    /// A driver (empty: the default) with its options.
    ///
    /// # Errors
    /// A sentence: no such driver or option, or a value that makes no sense.
    pub fn new(driver: &str, options: BTreeMap<String, String>) -> Result<LogConfig, String> {
        let mut log = LogConfig::default();
        if !driver.is_empty() {
            driver.clone_into(&mut log.driver);
        }
        match &*log.driver {
            "json-file" | "none" => {}
            // As Docker has it for its own file, and for the copy of what goes elsewhere.
            "local" | "journald" | "syslog" => (log.max_bytes, log.max_files) = (20 << 20, 5),
            _ => {
                let known = DRIVERS.join(", ");
                return Err(format!("there is no log driver `{driver}` ({known})"));
            }
        }
        for (name, value) in &options {
            log.set(name, value)?;
        }
        log.options = options;
        if log.option("max-buffer-size").is_some() && log.option("mode") != Some("non-blocking") {
            return Err("log option `max-buffer-size` goes with `mode=non-blocking`".to_owned());
        }
        log.syslog_address()?;
        Ok(log)
    }

    /// The options that the driver has.
    fn known(&self) -> Vec<&'static str> {
        let own: &[&[&str]] = match &*self.driver {
            "none" => return Vec::new(),
            "syslog" => &[OF_CACHES, OF_SYSLOG],
            "journald" => &[OF_CACHES],
            _ => &[OF_FILES],
        };
        [OF_ALL, &own.concat()].concat()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let bad = |what: &str| Err(format!("log option `{name}`: `{value}` is not {what}"));
        if self.driver == "syslog" && OF_TLS.contains(&name) {
            return Err(NO_TLS.to_owned());
        }
        let known = self.known();
        if !known.contains(&name) {
            let driver = &self.driver;
            let known = match known.is_empty() {
                true => "it has none".to_owned(),
                false => known.join(", "),
            };
            return Err(format!(
                "the log driver `{driver}` has no option `{name}` ({known})"
            ));
        }
        match name {
            "max-size" | "cache-max-size" if value == "-1" => self.max_bytes = u64::MAX,
            "max-size" | "cache-max-size" => match size(value) {
                Some(bytes) => self.max_bytes = bytes,
                None => return bad("a size above 0"),
            },
            "max-file" | "cache-max-file" => match value.parse().ok().filter(|files| *files >= 1) {
                Some(files) => self.max_files = files,
                None => return bad("a number of files"),
            },
            "compress" | "cache-compress" if value == "false" => {}
            "compress" | "cache-compress" => {
                return Err("old files of a log are not compressed".to_owned());
            }
            "cache-disabled" if !matches!(value, "true" | "false") => {
                return bad("true or false");
            }
            "mode" if !matches!(value, "blocking" | "non-blocking") => {
                return bad("a mode of delivery (blocking, non-blocking)");
            }
            "max-buffer-size" if size(value).is_none() => return bad("a size above 0"),
            "syslog-format" if !SYSLOG_FORMATS.contains(&value) => {
                return bad("a form of messages (rfc3164, rfc5424, rfc5424micro)");
            }
            "syslog-facility" if facility(value).is_none() => {
                return bad("a facility (daemon, local0 … local7, …, or a number up to 23)");
            }
            _ => {}
        }
        Ok(())
    }

    /// An option's value.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Whether the output is kept on this machine, so that it can be read.
    pub fn is_kept(&self) -> bool {
        self.driver != "none" && self.option("cache-disabled") != Some("true")
    }

    /// How who is told of each record is told.
    pub fn delivery(&self) -> Delivery {
        let blocking = self.option("mode") != Some("non-blocking");
        let asked = self.option("max-buffer-size").and_then(size);
        Delivery {
            blocking,
            buffer_bytes: match blocking {
                true => LEAST_BUFFER,
                false => asked.unwrap_or(BUFFER).clamp(LEAST_BUFFER, MOST_BUFFER),
            },
        }
    }

    /// Number of syslog's facility.
    pub fn syslog_facility(&self) -> u8 {
        self.option("syslog-facility")
            .and_then(facility)
            .unwrap_or(3)
    }

    /// Where syslog is.
    ///
    /// # Errors
    /// A sentence: it is no such address.
    pub fn syslog_address(&self) -> Result<SyslogAddress, String> {
        let Some(text) = self
            .option("syslog-address")
            .filter(|text| !text.is_empty())
        else {
            return Ok(SyslogAddress::Local);
        };
        let bad = || {
            format!(
                "`{text}` is not an address of syslog (unix://PATH, unixgram://PATH, udp://HOST:PORT, tcp://HOST:PORT)"
            )
        };
        let (protocol, rest) = text.split_once("://").ok_or_else(bad)?;
        let stream = match protocol {
            "unix" | "unixgram" => {
                let path = rest.to_owned();
                let fits = path.starts_with('/') && path.len() < 108 && !path.contains('\0');
                let stream = protocol == "unix";
                return fits
                    .then_some(SyslogAddress::Unix { path, stream })
                    .ok_or_else(bad);
            }
            "udp" => false,
            "tcp" => true,
            "tcp+tls" => return Err(NO_TLS.to_owned()),
            _ => return Err(bad()),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| bad())?),
            _ => (rest, 514),
        };
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if host.contains(['/', '@', '[', ']']) || port == 0 {
            return Err(bad());
        }
        let host = if host.is_empty() { "localhost" } else { host };
        Ok(SyslogAddress::Network {
            host: host.to_owned(),
            port,
            stream,
        })
    }
}

const NO_TLS: &str =
    "syslog is not reached over TLS; name a syslog daemon of this machine, which forwards by TLS";

fn size(text: &str) -> Option<u64> {
    crate::size::bytes(text).ok().filter(|bytes| *bytes > 0)
}

fn facility(text: &str) -> Option<u8> {
    let named = FACILITIES
        .iter()
        .position(|name| !name.is_empty() && *name == text);
    let number = named.or_else(|| text.parse().ok())?;
    u8::try_from(number).ok().filter(|number| *number < 24)
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
mod tests;
