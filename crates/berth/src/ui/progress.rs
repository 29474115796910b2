//! Progress of a pull or push, of images and artifacts, on standard error, so that standard output holds the result only.
//!
//! | style | what is seen |
//! |---|---|
//! | `tty` | a line a layer that changes in place: bar, bytes of bytes, rate; and a line of the total |
//! | `plain` | a line each time that a layer's state changes |
//! | `json` | an object a line: `status`; of a layer or file also `id` (its digest), `name` (of a file), `current` and `total` (bytes) |
//! | `quiet` | nothing |
//!
//! `auto` is `tty` on a terminal, else `plain`. There are no colours, so NO_COLOR changes nothing.

mod rate;
mod screen;

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use berth_engine::artifact::{Event, FileStep};
use berth_engine::image::pull::LayerStep;
use berth_engine::image::push::PushStep;
use berth_oci::Digest;
use serde_json::json;

use super::clean;
use rate::Rate;
use screen::Screen;

/// The same state of a layer is told as JSON no more often than this.
const TELL_MIN: Duration = Duration::from_millis(100);

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// Bars on a terminal, else lines
    #[default]
    Auto,
    /// A line for each change
    Plain,
    /// Bars, even if it is no terminal
    Tty,
    /// An object a line: status; of a layer id, current, total
    Json,
    /// Nothing
    Quiet,
}

impl Style {
    /// This style, or `quiet` if that is asked for.
    pub fn unless(self, quiet: bool) -> Style {
        if quiet { Style::Quiet } else { self }
    }
}

/// Shows the progress.
pub struct Progress {
    out: Box<dyn Write + Send>,
    mode: Mode,
    /// In the order of the first sign of life.
    layers: Vec<Layer>,
}

enum Mode {
    Quiet,
    Plain,
    Json,
    Terminal(Screen),
}

/// A layer as it is now.
struct Layer {
    digest: Digest,
    /// A file's name; of a layer, none.
    name: Option<String>,
    step: Step,
    total: u64,
    rate: Rate,
    told_at: Instant,
}

/// How far something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done with it.
    word: Cow<'static, str>,
    /// Bytes that it is done with.
    done_bytes: Option<u64>,
}

impl From<LayerStep> for Step {
    fn from(step: LayerStep) -> Step {
        match step {
            LayerStep::Exists => said("Already exists"),
            LayerStep::Downloading(bytes) => done("Downloading", bytes),
            LayerStep::Downloaded => said("Download complete"),
            LayerStep::Unpacked => said("Pull complete"),
        }
    }
}

impl From<FileStep> for Step {
    fn from(step: FileStep) -> Step {
        match step {
            FileStep::Exists => said("Already exists"),
            FileStep::Pushing(bytes) => done("Pushing", bytes),
            FileStep::Pushed => said("Pushed"),
            FileStep::Downloading(bytes) => done("Downloading", bytes),
            FileStep::Written => said("Pull complete"),
        }
    }
}

impl From<PushStep> for Step {
    fn from(step: PushStep) -> Step {
        match step {
            PushStep::Waiting => said("Waiting"),
            PushStep::Exists => said("Layer already exists"),
            PushStep::Mounted(from) => said(format!("Mounted from {from}")),
            PushStep::Pushing(bytes) => done("Pushing", bytes),
            PushStep::Pushed => said("Pushed"),
        }
    }
}

fn said(word: impl Into<Cow<'static, str>>) -> Step {
    Step {
        word: word.into(),
        done_bytes: None,
    }
}

fn done(word: &'static str, bytes: u64) -> Step {
    Step {
        done_bytes: Some(bytes),
        ..said(word)
    }
}

impl Progress {
    /// To standard error.
    pub fn stderr(style: Style) -> Self {
        let capable = || {
            std::io::stderr().is_terminal()
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        };
        let mode = match style {
            Style::Quiet => Mode::Quiet,
            Style::Json => Mode::Json,
            Style::Auto if !capable() => Mode::Plain,
            Style::Plain => Mode::Plain,
            Style::Auto | Style::Tty => Mode::Terminal(Screen::of_stderr()),
        };
        Progress::new(Box::new(std::io::stderr()), mode)
    }

    fn new(out: Box<dyn Write + Send>, mode: Mode) -> Self {
        Progress {
            out,
            mode,
            layers: Vec::new(),
        }
    }

    /// A line of its own, above the layers.
    pub fn say(&mut self, text: &str) {
        // Progress is decoration: a closed standard error must not end a pull.
        let _ = match &mut self.mode {
            Mode::Quiet => Ok(()),
            Mode::Plain => writeln!(self.out, "{text}"),
            Mode::Json => writeln!(self.out, "{}", json!({ "status": text })),
            Mode::Terminal(screen) => screen.say(&mut self.out, text, &self.layers),
        };
    }

    /// A warning: told in any style, for it is no decoration.
    pub fn warn(&mut self, text: &str) {
        let text = format!("warning: {text}");
        match &self.mode {
            Mode::Quiet => {
                let _ = writeln!(self.out, "{text}");
            }
            _ => self.say(&text),
        }
    }

    /// A layer of `total` bytes moved on.
    pub fn layer(&mut self, digest: &Digest, step: impl Into<Step>, total: u64) {
        self.moved(digest, None, step.into(), total);
    }

    /// A file of an artifact moved on.
    pub fn file(&mut self, event: Event<'_>) {
        let name = Some(clean::terminal(event.name));
        self.moved(event.digest, name, event.step.into(), event.size_bytes);
    }

    fn moved(&mut self, digest: &Digest, name: Option<String>, step: Step, total: u64) {
        let now = Instant::now();
        let same = |l: &Layer| l.digest == *digest && l.name == name;
        let place = self.layers.iter().position(same);
        let (place, changed) = match place {
            Some(place) => {
                let before = std::mem::replace(&mut self.layers[place].step, step);
                (place, before.word != self.layers[place].step.word)
            }
            None => {
                self.layers.push(Layer {
                    digest: digest.clone(),
                    name,
                    step,
                    total,
                    rate: Rate::new(now),
                    told_at: now,
                });
                (self.layers.len() - 1, true)
            }
        };
        let layer = &mut self.layers[place];
        if let Some(bytes) = layer.step.done_bytes {
            layer.rate.update(now, bytes);
        }
        let _ = match &mut self.mode {
            Mode::Plain if changed => {
                writeln!(self.out, "{}: {}", layer.label(), layer.step.word)
            }
            Mode::Json if changed || now - layer.told_at >= TELL_MIN => {
                layer.told_at = now;
                writeln!(self.out, "{}", layer.json())
            }
            Mode::Terminal(screen) => screen.layer_changed(&mut self.out, changed, &self.layers),
            Mode::Quiet | Mode::Plain | Mode::Json => Ok(()),
        };
    }

    /// The layers' lines stay as they are; what is said next comes below them.
    pub fn finish(&mut self) {
        if let Mode::Terminal(screen) = &mut self.mode {
            let _ = screen.finish(&mut self.out, &self.layers);
        }
        self.layers.clear();
    }
}

impl Layer {
    /// What it is called on a line.
    fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.digest.short())
    }

    fn json(&self) -> serde_json::Value {
        let mut object = json!({
            "id": self.digest.to_string(),
            "status": self.step.word,
            "total": self.total,
        });
        if let Some(name) = &self.name {
            object["name"] = name.as_str().into();
        }
        if let Some(bytes) = self.step.done_bytes {
            object["current"] = bytes.into();
        }
        object
    }
}

#[cfg(test)]
mod tests;
