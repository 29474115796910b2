//! Progress of a pull: one line a layer that changes in place on a terminal; elsewhere one line each time
//! a layer's state changes. On standard error, so that standard output holds the result only.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::human;

/// Redrawing more often than this only costs.
const REDRAW_MIN: Duration = Duration::from_millis(100);

/// What is happening to a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is in the store already.
    Exists,
    /// It is on its way: bytes so far.
    Downloading(u64),
    /// All of it is here, and its digest is right.
    Downloaded,
    /// It is unpacked: done.
    Unpacked,
}

/// Draws the progress.
pub struct Progress {
    out: Box<dyn Write + Send>,
    mode: Mode,
    /// In the order of the first sign of life.
    order: Vec<String>,
    layers: BTreeMap<String, (Step, Option<u64>)>,
    lines_drawn: usize,
    drawn_at: Option<Instant>,
}

#[derive(PartialEq)]
enum Mode {
    Quiet,
    Plain,
    Terminal,
}

impl Progress {
    /// To standard error.
    pub fn stderr(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let mode = match (quiet, terminal) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Terminal,
            (false, false) => Mode::Plain,
        };
        Progress::new(Box::new(std::io::stderr()), mode)
    }

    fn new(out: Box<dyn Write + Send>, mode: Mode) -> Self {
        Progress {
            out,
            mode,
            order: Vec::new(),
            layers: BTreeMap::new(),
            lines_drawn: 0,
            drawn_at: None,
        }
    }

    /// A line of its own, above the layers.
    pub fn say(&mut self, text: &str) {
        if self.mode == Mode::Quiet {
            return;
        }
        self.erase();
        // Progress is decoration: a closed standard error must not end a pull.
        let _ = writeln!(self.out, "{text}");
        self.draw();
    }

    /// A layer moved on; `total`: its size in bytes, if known.
    pub fn layer(&mut self, digest: &str, step: Step, total: Option<u64>) {
        let id = short(digest);
        let before = self
            .layers
            .insert(id.clone(), (step, total))
            .map(|(step, _)| step);
        if before.is_none() {
            self.order.push(id.clone());
        }
        let changed = before
            .is_none_or(|before| std::mem::discriminant(&before) != std::mem::discriminant(&step));
        match self.mode {
            Mode::Quiet => {}
            Mode::Plain if changed => {
                let _ = writeln!(self.out, "{id}: {}", word(step));
            }
            Mode::Plain => {}
            Mode::Terminal => {
                if changed || self.drawn_at.is_none_or(|at| at.elapsed() >= REDRAW_MIN) {
                    self.erase();
                    self.draw();
                }
            }
        }
    }

    /// The layers' lines stay as they are; what is said next comes below them.
    pub fn finish(&mut self) {
        self.erase();
        self.draw();
        self.order.clear();
        self.lines_drawn = 0;
    }

    fn erase(&mut self) {
        if self.mode == Mode::Terminal && self.lines_drawn > 0 {
            let _ = write!(self.out, "\x1b[{}A\x1b[J", self.lines_drawn);
            self.lines_drawn = 0;
        }
    }

    fn draw(&mut self) {
        if self.mode != Mode::Terminal {
            return;
        }
        let mut text = String::new();
        for id in &self.order {
            if let Some((step, total)) = self.layers.get(id) {
                text.push_str(&format!("{id}: {}{}\n", word(*step), bar(*step, *total)));
            }
        }
        self.lines_drawn = self.order.len();
        self.drawn_at = Some(Instant::now());
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

fn short(digest: &str) -> String {
    digest
        .split_once(':')
        .map_or(digest, |(_, hex)| hex)
        .chars()
        .take(12)
        .collect()
}

fn word(step: Step) -> &'static str {
    match step {
        Step::Exists => "Already exists",
        Step::Downloading(_) => "Downloading",
        Step::Downloaded => "Download complete",
        Step::Unpacked => "Pull complete",
    }
}

fn bar(step: Step, total: Option<u64>) -> String {
    const WIDTH: u64 = 30;
    match (step, total) {
        (Step::Downloading(done), Some(total)) if total > 0 => {
            let filled = (done.min(total) * WIDTH / total) as usize;
            let line = "=".repeat(filled) + ">" + &" ".repeat(WIDTH as usize - filled);
            format!(" [{line}] {}/{}", human::size(done), human::size(total))
        }
        (Step::Downloading(done), _) => format!(" {}", human::size(done)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("a lock").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn drive(mode: Mode) -> String {
        let sink = Sink::default();
        let mut progress = Progress::new(Box::new(sink.clone()), mode);
        progress.say("latest: Pulling from library/busybox");
        for step in [
            Step::Downloading(0),
            Step::Downloading(500),
            Step::Downloaded,
            Step::Unpacked,
        ] {
            progress.layer("sha256:0123456789abcdef", step, Some(1000));
        }
        progress.layer("sha256:fedcba9876543210", Step::Exists, None);
        let bytes = sink.0.lock().expect("a lock").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn each_kind_of_output() {
        assert_eq!(drive(Mode::Quiet), "");
        assert_eq!(
            drive(Mode::Plain),
            "latest: Pulling from library/busybox\n0123456789ab: Downloading\n0123456789ab: Download complete\n0123456789ab: Pull complete\nfedcba987654: Already exists\n"
        );
        let terminal = drive(Mode::Terminal);
        assert!(
            terminal.contains("0123456789ab: Downloading [>"),
            "{terminal:?}"
        );
        assert!(
            terminal.ends_with(
                "\x1b[1A\x1b[J0123456789ab: Pull complete\nfedcba987654: Already exists\n"
            ),
            "{terminal:?}"
        );
    }
}
