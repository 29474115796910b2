//! Lines at the bottom of a terminal that change in place, whatever size it has at the moment.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::Layer;
use crate::ui::human;

/// Redrawing more often than this only costs.
const REDRAW_MIN: Duration = Duration::from_millis(100);
/// Columns of a bar, where there is room.
const BAR_MAX: usize = 30;
const BAR_MIN: usize = 8;
/// Rows and columns of a terminal that does not tell.
const DEFAULT_SIZE: (usize, usize) = (24, 80);

/// What is drawn.
pub(super) struct Screen {
    /// Rows and columns.
    size: Box<dyn Fn() -> (usize, usize) + Send>,
    /// Characters of each line that is drawn.
    drawn: Vec<usize>,
    drawn_at: Option<Instant>,
}

impl Screen {
    /// The terminal of standard error.
    pub(super) fn of_stderr() -> Screen {
        Screen::new(|| {
            let size = berth_engine::attach::terminal::size(io::stderr());
            size.map_or(DEFAULT_SIZE, |(rows, columns)| {
                (rows.into(), columns.into())
            })
        })
    }

    pub(super) fn new(size: impl Fn() -> (usize, usize) + Send + 'static) -> Screen {
        Screen {
            size: Box::new(size),
            drawn: Vec::new(),
            drawn_at: None,
        }
    }

    /// A line that stays, above the others.
    pub(super) fn say(
        &mut self,
        out: &mut impl Write,
        text: &str,
        layers: &[Layer],
    ) -> io::Result<()> {
        let mut frame = self.erased();
        frame.push_str(text);
        frame.push('\n');
        self.draw(out, frame, layers)
    }

    /// Draws, unless that was just done and nothing but numbers changed.
    pub(super) fn layer_changed(
        &mut self,
        out: &mut impl Write,
        state: bool,
        layers: &[Layer],
    ) -> io::Result<()> {
        if !state && self.drawn_at.is_some_and(|at| at.elapsed() < REDRAW_MIN) {
            return Ok(());
        }
        let frame = self.erased();
        self.draw(out, frame, layers)
    }

    /// Draws all layers for the last time.
    pub(super) fn finish(&mut self, out: &mut impl Write, layers: &[Layer]) -> io::Result<()> {
        let (_, columns) = (self.size)();
        let mut frame = self.erased();
        for layer in layers {
            frame.push_str(&line(layer, columns));
            frame.push('\n');
        }
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// What takes the drawn lines away. A terminal that became narrower has wrapped them.
    fn erased(&mut self) -> String {
        let (_, columns) = (self.size)();
        let rows = |length: &usize| length.div_ceil(columns.max(1)).max(1);
        match self.drawn.drain(..).map(|length| rows(&length)).sum() {
            0usize => String::new(),
            rows => format!("\x1b[{rows}A\x1b[J"),
        }
    }

    fn draw(
        &mut self,
        out: &mut impl Write,
        mut frame: String,
        layers: &[Layer],
    ) -> io::Result<()> {
        let (rows, columns) = (self.size)();
        let total = total(layers).map(|text| cut(text, columns));
        // The cursor's line is the last; what has scrolled out could not be changed any more.
        let room = rows.saturating_sub(1 + usize::from(total.is_some())).max(1);
        let lines = visible(layers, room).into_iter().map(|l| line(l, columns));
        for line in lines.chain(total) {
            self.drawn.push(line.chars().count());
            frame.push_str(&line);
            frame.push('\n');
        }
        self.drawn_at = Some(Instant::now());
        out.write_all(frame.as_bytes())?;
        out.flush()
    }
}

/// The layers that there is room for: those that move first, then the latest; in their order.
fn visible(layers: &[Layer], room: usize) -> Vec<&Layer> {
    let mut hidden = layers.len().saturating_sub(room);
    let mut shown: Vec<&Layer> = layers
        .iter()
        .filter(|layer| {
            let hide = hidden > 0 && layer.step.done_bytes.is_none();
            hidden -= usize::from(hide);
            !hide
        })
        .collect();
    shown.truncate(room);
    shown
}

fn line(layer: &Layer, columns: usize) -> String {
    let head = format!("{}: {}", layer.label(), layer.step.word);
    let Some(bytes) = layer.step.done_bytes else {
        return cut(head, columns);
    };
    let amount = amount(bytes, layer.total, layer.rate.per_second());
    // Two brackets, the point, two spaces, and the last column, which stays free.
    let room = columns.saturating_sub(head.chars().count() + amount.chars().count() + 6);
    if layer.total == 0 || room < BAR_MIN {
        return cut(format!("{head} {amount}"), columns);
    }
    let width = room.min(BAR_MAX);
    let filled =
        (bytes.min(layer.total) as u128 * width as u128 / u128::from(layer.total)) as usize;
    let (full, empty) = ("=".repeat(filled), " ".repeat(width - filled));
    cut(format!("{head} [{full}>{empty}] {amount}"), columns)
}

/// All that moves or has moved, if it is more than one.
fn total(layers: &[Layer]) -> Option<String> {
    let moving: Vec<&Layer> = layers.iter().filter(|l| l.rate.has_begun()).collect();
    let active = moving.iter().any(|l| l.step.done_bytes.is_some());
    if moving.len() < 2 || !active {
        return None;
    }
    let bytes = moving.iter().map(|l| l.step.done_bytes.unwrap_or(l.total));
    let (bytes, total) = (bytes.sum(), moving.iter().map(|l| l.total).sum());
    let active = moving.iter().filter(|l| l.step.done_bytes.is_some());
    let rates: Vec<u64> = active.filter_map(|l| l.rate.per_second()).collect();
    let rate = (!rates.is_empty()).then(|| rates.iter().sum());
    Some(format!("Total: {}", amount(bytes, total, rate)))
}

fn amount(bytes: u64, total: u64, rate: Option<u64>) -> String {
    let mut text = human::size(bytes);
    if total > 0 {
        text = format!("{text}/{}", human::size(total));
    }
    if let Some(rate) = rate {
        text = format!("{text} {}/s", human::size(rate));
    }
    text
}

/// A line that does not wrap.
fn cut(text: String, columns: usize) -> String {
    let room = columns.saturating_sub(1).max(1);
    match text.char_indices().nth(room) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
