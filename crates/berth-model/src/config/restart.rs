//! Restart policies.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What happens when the container ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartPolicy {
    /// When it starts again.
    pub kind: RestartKind,
    /// `on-failure`: how often in a row; 0: without end.
    pub max_retries: u32,
}

/// When a container starts again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartKind {
    /// Never.
    #[default]
    No,
    /// Whenever it ends, and when the daemon or the host starts.
    Always,
    /// Likewise, but not when a user has stopped it.
    UnlessStopped,
    /// When its exit code is not 0.
    OnFailure,
}

impl RestartKind {
    /// Docker's word.
    pub fn word(self) -> &'static str {
        match self {
            RestartKind::No => "no",
            RestartKind::Always => "always",
            RestartKind::UnlessStopped => "unless-stopped",
            RestartKind::OnFailure => "on-failure",
        }
    }
}

impl FromStr for RestartKind {
    type Err = String;

    /// Docker's word; empty: `no`.
    fn from_str(text: &str) -> Result<RestartKind, String> {
        Ok(match text {
            "" | "no" => RestartKind::No,
            "always" => RestartKind::Always,
            "unless-stopped" => RestartKind::UnlessStopped,
            "on-failure" => RestartKind::OnFailure,
            _ => {
                return Err(format!(
                    "`{text}` is not a restart policy (no, always, unless-stopped, on-failure)"
                ));
            }
        })
    }
}

impl FromStr for RestartPolicy {
    type Err = String;

    /// `on-failure[:MAX]` or one of the other words.
    fn from_str(text: &str) -> Result<RestartPolicy, String> {
        let (word, count) = match text.split_once(':') {
            Some((word, count)) => (word, Some(count)),
            None => (text, None),
        };
        let kind: RestartKind = word.parse()?;
        let max_retries = match count {
            None => 0,
            Some(count) if kind == RestartKind::OnFailure => count
                .parse()
                .map_err(|_| format!("`{count}` is not a number of retries"))?,
            Some(_) => {
                return Err(format!(
                    "`{word}` takes no number of retries; `on-failure` does"
                ));
            }
        };
        Ok(RestartPolicy { kind, max_retries })
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        if self.max_retries > 0 {
            write!(f, ":{}", self.max_retries)?;
        }
        Ok(())
    }
}
