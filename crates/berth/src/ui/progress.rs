//! Progress of a pull: one line a layer that changes in place on a terminal; elsewhere one line each time
//! a layer's state changes. On standard error, so that standard output holds the result only.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use berth_engine::image::pull::LayerStep;
use berth_oci::Digest;

use super::human;

/// Redrawing more often than this only costs.
const REDRAW_MIN: Duration = Duration::from_millis(100);

/// Draws the progress.
pub struct Progress {
    out: Box<dyn Write + Send>,
    mode: Mode,
    /// Digest, step and size, in the order of the first sign of life.
    layers: Vec<(Digest, LayerStep, u64)>,
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
            layers: Vec::new(),
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

    /// A layer of `total` bytes moved on.
    pub fn layer(&mut self, digest: &Digest, step: LayerStep, total: u64) {
        let known = self.layers.iter_mut().find(|(d, ..)| d == digest);
        let changed = match known {
            Some((_, before, _)) => {
                let before = std::mem::replace(before, step);
                std::mem::discriminant(&before) != std::mem::discriminant(&step)
            }
            None => {
                self.layers.push((digest.clone(), step, total));
                true
            }
        };
        match self.mode {
            Mode::Quiet => {}
            Mode::Plain if changed => {
                let _ = writeln!(self.out, "{}: {}", digest.short(), word(step));
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
        self.layers.clear();
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
        for (digest, step, total) in &self.layers {
            let (id, word, bar) = (digest.short(), word(*step), bar(*step, *total));
            text.push_str(&format!("{id}: {word}{bar}\n"));
        }
        self.lines_drawn = self.layers.len();
        self.drawn_at = Some(Instant::now());
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

fn word(step: LayerStep) -> &'static str {
    match step {
        LayerStep::Exists => "Already exists",
        LayerStep::Downloading(_) => "Downloading",
        LayerStep::Downloaded => "Download complete",
        LayerStep::Unpacked => "Pull complete",
    }
}

fn bar(step: LayerStep, total: u64) -> String {
    const WIDTH: u64 = 30;
    match step {
        LayerStep::Downloading(done) if total > 0 => {
            let filled = (done.min(total) * WIDTH / total) as usize;
            let line = "=".repeat(filled) + ">" + &" ".repeat(WIDTH as usize - filled);
            format!(" [{line}] {}/{}", human::size(done), human::size(total))
        }
        LayerStep::Downloading(done) => format!(" {}", human::size(done)),
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

    fn digest(sixteen: &str) -> Digest {
        Digest::parse(&format!("sha256:{}", sixteen.repeat(4))).expect("a digest")
    }

    fn drive(mode: Mode) -> String {
        let sink = Sink::default();
        let mut progress = Progress::new(Box::new(sink.clone()), mode);
        progress.say("latest: Pulling from library/busybox");
        for step in [
            LayerStep::Downloading(0),
            LayerStep::Downloading(500),
            LayerStep::Downloaded,
            LayerStep::Unpacked,
        ] {
            progress.layer(&digest("0123456789abcdef"), step, 1000);
        }
        progress.layer(&digest("fedcba9876543210"), LayerStep::Exists, 1000);
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
