//! What containers use, as rows of docker's `stats`.

use berth_engine::Container;
use berth_engine::stats::Sample;

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
    let memory = match limit {
        0 => 0.0,
        limit => used as f64 / limit as f64 * 100.0,
    };
    let pair = |(one, other): (u64, u64)| {
        format!("{} / {}", human::image_size(one), human::image_size(other))
    };
    let percent = |value: f64| format!("{value:.2}%");
    let usage = format!(
        "{} / {}",
        human::size_binary(used),
        human::size_binary(limit)
    );
    let or = |text: String, unknown: &str| match sample.is_running() {
        true => Value::from(text),
        false => Value::from(unknown),
    };
    Value::fields([
        ("BlockIO", or(pair(sample.block_bytes()), "--")),
        ("CPUPerc", or(percent(cpu), "--")),
        ("Container", cell(named.unwrap_or(id))),
        ("ID", id.into()),
        ("MemPerc", or(percent(memory), "--")),
        ("MemUsage", or(usage, "-- / --")),
        ("Name", cell(&container.name)),
        ("NetIO", or(pair(sample.network_bytes()), "--")),
        ("PIDs", or(sample.counters.pids.to_string(), "--")),
    ])
}
