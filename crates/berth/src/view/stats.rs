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
    let [block, cpu, share, memory, network, pids] = uses(moment).map(Value::from);
    Value::fields([
        ("BlockIO", block),
        ("CPUPerc", cpu),
        ("ID", id(container, truncate).into()),
        ("MemPerc", share),
        ("MemUsage", memory),
        ("Name", cell(&container.name)),
        ("NetIO", network),
        ("PIDs", pids),
        ("Time", moment.time.as_str().into()),
    ])
}

/// A row of [`LISTING`]; `named`: as the container was asked for.
pub fn row(
    container: &Container,
    named: Option<&str>,
    sample: &Sample,
    before: Option<&Sample>,
    truncate: bool,
) -> Value {
    // Without one before it, it has no rate.
    let before = before.filter(|before| before.is_running());
    let moment = Moment::of(sample, before.unwrap_or(sample));
    let used = match sample.is_running() {
        true => uses(&moment),
        false => ["--", "--", "--", "-- / --", "--", "--"].map(str::to_owned),
    };
    let [block, cpu, share, memory, network, pids] = used.map(Value::from);
    let id = id(container, truncate);
    Value::fields([
        ("BlockIO", block),
        ("CPUPerc", cpu),
        ("Container", cell(named.unwrap_or(id))),
        ("ID", id.into()),
        ("MemPerc", share),
        ("MemUsage", memory),
        ("Name", cell(&container.name)),
        ("NetIO", network),
        ("PIDs", pids),
    ])
}

/// Blocks, CPU, share of the memory, memory, network, processes.
fn uses(moment: &Moment) -> [String; 6] {
    let pair = |(one, other)| format!("{} / {}", human::image_size(one), human::image_size(other));
    let percent = |value: f64| format!("{value:.2}%");
    let share = match moment.memory_limit {
        0 => 0.0,
        limit => moment.memory as f64 / limit as f64 * 100.0,
    };
    let memory = [moment.memory, moment.memory_limit].map(human::size_binary);
    [
        pair(moment.block),
        percent(moment.cpu_percent),
        percent(share),
        memory.join(" / "),
        pair(moment.network),
        moment.pids.to_string(),
    ]
}

fn id(container: &Container, truncate: bool) -> &str {
    let id = &container.config.id;
    if truncate { id.short() } else { id.as_str() }
}
