//! Each style on a sink, and the terminal at odd sizes.

use std::sync::{Arc, Mutex};

use super::*;

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

impl Sink {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("a lock").clone();
        String::from_utf8(bytes).expect("text")
    }
}

fn digest(sixteen: &str) -> Digest {
    Digest::parse(&format!("sha256:{}", sixteen.repeat(4))).expect("a digest")
}

fn terminal(rows: usize, columns: usize) -> Mode {
    Mode::Terminal(Screen::new(move || (rows, columns)))
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
    progress.finish();
    progress.say("Status: done");
    sink.text()
}

#[test]
fn each_style() {
    assert_eq!(drive(Mode::Quiet), "");
    assert_eq!(
        drive(Mode::Plain),
        "latest: Pulling from library/busybox\n0123456789ab: Downloading\n0123456789ab: Download complete\n0123456789ab: Pull complete\nfedcba987654: Already exists\nStatus: done\n"
    );
    let text = drive(terminal(24, 80));
    assert!(text.contains("0123456789ab: Downloading [>"), "{text:?}");
    assert!(
        text.ends_with(
            "\x1b[2A\x1b[J0123456789ab: Pull complete\nfedcba987654: Already exists\nStatus: done\n"
        ),
        "{text:?}"
    );
    assert!(!text.contains("\x1b[3"), "no colours: {text:?}");
}

#[test]
fn json_is_an_object_a_line() {
    let text = drive(Mode::Json);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines[0],
        json!({"status": "latest: Pulling from library/busybox"})
    );
    let id = digest("0123456789abcdef").to_string();
    let first = json!({"id": id, "status": "Downloading", "current": 0, "total": 1000});
    assert_eq!(lines[1], first);
    // The same state, a moment later, is not told.
    let second = json!({"id": id, "status": "Download complete", "total": 1000});
    assert_eq!(lines[2], second);
    assert_eq!(lines.len(), 6);
}

#[test]
fn lines_fit_whatever_the_size() {
    for (rows, columns) in [(24, 80), (24, 40), (5, 20), (1, 1), (0, 0)] {
        let sink = Sink::default();
        let mut progress = Progress::new(Box::new(sink.clone()), terminal(rows, columns));
        for n in 0..10 {
            let layer = digest(&format!("0123456789abcde{n}"));
            progress.layer(&layer, LayerStep::Downloading(123_456), 987_654_321);
        }
        let text = sink.text();
        let frame = text.rsplit("\x1b[J").next().expect("a frame");
        for line in frame.lines() {
            assert!(line.chars().count() < columns.max(2), "{columns}: {line:?}");
        }
        assert!(
            frame.lines().count() <= rows.saturating_sub(1).max(2),
            "{rows}: {frame:?}"
        );
    }
}

#[test]
fn a_narrower_terminal_has_wrapped_the_lines() {
    let size = Arc::new(Mutex::new((24, 80)));
    let now = Arc::clone(&size);
    let sink = Sink::default();
    let screen = Screen::new(move || *now.lock().expect("a lock"));
    let mut progress = Progress::new(Box::new(sink.clone()), Mode::Terminal(screen));
    progress.layer(&digest("0123456789abcdef"), LayerStep::Downloading(0), 1000);
    let length = sink.text().trim_end().len();
    *size.lock().expect("a lock") = (24, 20);
    progress.layer(&digest("0123456789abcdef"), LayerStep::Downloaded, 1000);
    let wrapped = length.div_ceil(20);
    assert!(wrapped > 1);
    let text = sink.text();
    assert!(text.contains(&format!("\x1b[{wrapped}A\x1b[J")), "{text:?}");
}

#[test]
fn moving_layers_are_shown_first() {
    let sink = Sink::default();
    let mut progress = Progress::new(Box::new(sink.clone()), terminal(4, 80));
    for n in 0..6 {
        let step = match n % 3 {
            0 => LayerStep::Downloading(1),
            _ => LayerStep::Exists,
        };
        progress.layer(&digest(&format!("{n}123456789abcdef")), step, 1000);
    }
    let text = sink.text();
    let frame = text.rsplit("\x1b[J").next().expect("a frame");
    let shown: Vec<&str> = frame.lines().map(|line| &line[..1]).collect();
    assert_eq!(shown, ["0", "3", "T"], "{frame}");
}
