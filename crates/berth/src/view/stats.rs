//! What containers use, as rows of docker's `stats`.

use berth_engine::Container;
use berth_engine::stats::Sample;
use berth_engine::stats::history::Moment;

use crate::ui::human;
use crate::ui::rows::{Listing, cell};
use crate::ui::template::Value;

/// One row a container.
pub const LISTING: Listing<'_> = Listing {
    headers: &[
        ("Container", "CONTAINER"),
        ("ID", "CONTAINER ID"),
        ("Name", "NAME"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
    ],
    table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    quiet: "",
};

/// One row a moment.
pub const PAST: Listing<'_> = Listing {
    headers: &[
        ("Time", "TIME"),
        ("ID", "CONTAINER ID"),
        ("Name", "NAME"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
    ],
    table: "{{.Time}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    quiet: "",
};

/// A row of [`PAST`].
pub fn past(container: &Container, moment: &Moment, truncate: bool) -> Value {
    let id = &container.config.id;
    let id = if truncate { id.short() } else { id.as_str() };
    Value::fields([
        ("BlockIO", pair(moment.block).into()),
        ("CPUPerc", percent(moment.cpu_percent).into()),
        ("ID", id.into()),
        (
            "MemPerc",
            percent(share(moment.memory, moment.memory_limit)).into(),
        ),
        ("MemUsage", usage(moment.memory, moment.memory_limit).into()),
        ("Name", cell(&container.name)),
        ("NetIO", pair(moment.network).into()),
        ("PIDs", moment.pids.to_string().into()),
        ("Time", moment.time.as_str().into()),
    ])
}

fn pair((one, other): (u64, u64)) -> String {
    format!("{} / {}", human::image_size(one), human::image_size(other))
}

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

fn usage(used: u64, limit: u64) -> String {
    let (used, limit) = (human::size_binary(used), human::size_binary(limit));
    format!("{used} / {limit}")
}

/// Percent.
fn share(used: u64, limit: u64) -> f64 {
    match limit {
        0 => 0.0,
        limit => used as f64 / limit as f64 * 100.0,
    }
}

/// A row of [`LISTING`]; `named`: as the container was asked for.
pub fn row(
    container: &Container,
    named: Option<&str>,
    sample: &Sample,
    before: Option<&Sample>,
    truncate: bool,
) -> Value {
    let id = &container.config.id;
    let id = if truncate { id.short() } else { id.as_str() };
    let before = before.filter(|before| before.is_running());
    let cpu = before.map_or(0.0, |before| sample.cpu_percent(before));
    let (used, limit) = (sample.memory_used(), sample.memory_limit);
    let or = |text: String, unknown: &str| match sample.is_running() {
        true => Value::from(text),
        false => Value::from(unknown),
    };
    Value::fields([
        ("BlockIO", or(pair(sample.block_bytes()), "--")),
        ("CPUPerc", or(percent(cpu), "--")),
        ("Container", cell(named.unwrap_or(id))),
        ("ID", id.into()),
        ("MemPerc", or(percent(share(used, limit)), "--")),
        ("MemUsage", or(usage(used, limit), "-- / --")),
        ("Name", cell(&container.name)),
        ("NetIO", or(pair(sample.network_bytes()), "--")),
        ("PIDs", or(sample.counters.pids.to_string(), "--")),
    ])
}
