//! Progress as Docker's clients print it: JSON messages, one a line, as they happen.
//!
//! ```text
//! {"status":"Downloading","progressDetail":{"current":1,"total":2},"progress":"[====>  ] …","id":"0123456789ab"}
//! {"errorDetail":{"message":"…"},"error":"…"}
//! ```
//! Work that fails before its first message fails with a status; afterwards its last message says why.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use berth_engine::image::Stop;
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::error::Failure;
use crate::serve::sink::Sink;
use crate::serve::stream;

/// How often is looked whether a client that nothing is sent to is still there.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Characters of a bar.
const BAR: u64 = 50;

/// A message.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Message<'a> {
    /// Text that is printed as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<&'a str>,
    #[serde(rename = "progressDetail", skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<Detail>,
    /// `detail` as text; `Messages` makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<String>,
    /// What the status is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    #[serde(rename = "errorDetail", skip_serializing_if = "Option::is_none")]
    pub(crate) error_detail: Option<ErrorDetail<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aux: Option<serde_json::Value>,
}

/// How far something is, in bytes; empty: nothing can be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ErrorDetail<'a> {
    message: &'a str,
}

/// Where messages go.
pub(crate) struct Messages {
    sink: Sink,
    stop: Stop,
    begun: bool,
}

/// Answers with what `work` tells. Its [`Messages::stop`] is stopped when the client leaves.
pub(crate) async fn answer(
    peer: Arc<OwnedFd>,
    work: impl FnOnce(&mut Messages) -> Result<(), Failure> + Send + 'static,
) -> Result<Answer, Failure> {
    let stop = Stop::default();
    let watch = Watch::begin(peer, stop.clone());
    let write = move |sink| {
        let _watch = watch;
        let mut messages = Messages {
            sink,
            stop,
            begun: false,
        };
        match work(&mut messages) {
            Err(failure) if messages.begun => {
                messages.fail(&failure.message);
                Ok(())
            }
            done => done,
        }
    };
    Answer::once_begun("application/json", write).await
}

impl Messages {
    /// Ends work for which nobody waits any more.
    pub(crate) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// `status`, of nothing in particular.
    pub(crate) fn status(&mut self, status: &str) {
        self.send(Message {
            status: Some(status),
            ..Message::default()
        });
    }

    /// `status` of `id`.
    pub(crate) fn status_of(&mut self, id: &str, status: &str) {
        self.progress(id, status, Detail::default());
    }

    /// `status` of `id`, which is so far.
    pub(crate) fn progress(&mut self, id: &str, status: &str, detail: Detail) {
        self.send(Message {
            status: Some(status),
            id: Some(id),
            detail: Some(detail),
            ..Message::default()
        });
    }

    pub(crate) fn send(&mut self, mut message: Message<'_>) {
        self.begun = true;
        message.progress = message.detail.and_then(bar);
        let mut line = serde_json::to_vec(&message).expect("our messages become JSON");
        line.extend_from_slice(b"\r\n");
        if self.write(&line).is_err() {
            self.stop.stop();
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.sink.write_all(line)
    }

    /// The last message: what went wrong.
    pub(crate) fn fail(&mut self, text: &str) {
        self.send(Message {
            error_detail: Some(ErrorDetail { message: text }),
            error: Some(text),
            ..Message::default()
        });
    }
}

/// Looks after a client until it is dropped.
struct Watch(JoinHandle<()>);

impl Watch {
    fn begin(peer: Arc<OwnedFd>, stop: Stop) -> Watch {
        Watch(tokio::spawn(async move {
            while !stream::is_gone(&peer) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            stop.stop();
        }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// `[=====>     ]  1.5kB/3kB`, for clients that do not draw it themselves.
///
/// Source: the output of Docker 20.10's daemon.
fn bar(detail: Detail) -> Option<String> {
    let current = detail.current.filter(|current| *current > 0)?;
    let done = human_size(current);
    let Some(total) = detail.total.filter(|total| *total > 0) else {
        return Some(format!("{done:>8}"));
    };
    let filled = (u128::from(current) * u128::from(BAR) / u128::from(total)).min(BAR.into());
    let filled = usize::try_from(filled).unwrap_or(0);
    let empty = usize::try_from(BAR).unwrap_or(0) - filled;
    let bar = format!("[{}>{}] ", "=".repeat(filled), " ".repeat(empty));
    Some(match current > total {
        true => format!("{bar}{done:>8}"),
        false => format!("{bar}{done:>8}/{}", human_size(total)),
    })
}

/// Four significant digits, powers of 1000.
fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        value if value < 10.0 => 3,
        value if value < 100.0 => 2,
        _ => 1,
    };
    let text = format!("{value:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_dockers() {
        let of = |current, total| {
            bar(Detail {
                current: Some(current),
                total,
            })
        };
        for (current, total, text) in [
            (
                34304,
                Some(1_982_256),
                "[>                                                  ]   34.3kB/1.982MB",
            ),
            (
                886_272,
                Some(1_982_256),
                "[======================>                            ]  886.3kB/1.982MB",
            ),
            (
                1_986_560,
                Some(1_982_256),
                "[==================================================>]  1.987MB",
            ),
            (
                94,
                Some(94),
                "[==================================================>]      94B/94B",
            ),
            (1536, None, " 1.536kB"),
        ] {
            assert_eq!(of(current, total).as_deref(), Some(text));
        }
        assert_eq!(of(0, Some(7)), None);
        assert_eq!(bar(Detail::default()), None);
    }
}
