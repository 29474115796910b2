//! Volumes, as Docker lists and inspects them.

use std::rc::Rc;

use berth_engine::volumes::Volume;

use crate::ui::rows::{Listing, cell};
use crate::ui::template::Value;

/// One row a volume.
pub const LISTING: Listing<'_> = Listing {
    headers: &[
        ("Availability", "AVAILABILITY"),
        ("Driver", "DRIVER"),
        ("Group", "GROUP"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
        ("Size", "SIZE"),
        ("Status", "STATUS"),
    ],
    table: "{{.Driver}}\t{{.Name}}",
    quiet: "{{.Name}}",
};

/// A row of [`LISTING`]. What is not known is `N/A`, as docker has it.
pub fn row(volume: &Volume) -> Value {
    let labels = volume.labels.iter();
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let of = volume.labels.clone();
    Value::fields([
        ("Availability", "N/A".into()),
        ("Driver", cell(&volume.driver)),
        ("Group", "N/A".into()),
        (
            "Label",
            Value::Method(Rc::new(move |args| match args {
                [Value::Str(name)] => Ok(of.get(name).map_or("", String::as_str).into()),
                _ => Err("`.Label` needs a label's name".into()),
            })),
        ),
        ("Labels", cell(&labels.join(","))),
        ("Links", "N/A".into()),
        ("Mountpoint", cell(&volume.mountpoint.to_string_lossy())),
        ("Name", cell(&volume.name)),
        ("Scope", "local".into()),
        ("Size", "N/A".into()),
        ("Status", "N/A".into()),
    ])
}

/// Docker's JSON.
pub fn inspect(volume: &Volume) -> Value {
    Value::of(&berth_docker::form::volume::volume(volume))
}
