//! What takes how much of the disk, as rows of `system df`.

use berth_engine::usage::{ContainerUsage, Usage, VolumeUsage};
use jiff::Timestamp;

use super::container;
use crate::ui::human;
use crate::ui::rows::{self, Listing};
use crate::ui::template::Value;

/// One row a kind.
pub const SUMMARY: Listing<'_> = Listing {
    headers: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
    table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    quiet: "",
};

/// `-v`: one row a name of an image.
pub const IMAGES: Listing<'_> = Listing {
    headers: &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("Size", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("Containers", "CONTAINERS"),
    ],
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
    quiet: "",
};

/// `-v`: one row a container.
pub const CONTAINERS: Listing<'_> = Listing {
    headers: &[
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("DiskSize", "SIZE"),
        ("RunningFor", "CREATED"),
        ("Status", "STATUS"),
        ("Names", "NAMES"),
    ],
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.DiskSize}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
    quiet: "",
};

/// `-v`: one row a volume.
pub const VOLUMES: Listing<'_> = Listing {
    headers: &[
        ("Name", "VOLUME NAME"),
        ("Links", "LINKS"),
        ("Size", "SIZE"),
    ],
    table: "{{.Name}}\t{{.Links}}\t{{.Size}}",
    quiet: "",
};

/// The rows of [`SUMMARY`].
pub fn summary(usage: &Usage) -> Vec<Value> {
    let active = usage.images.iter().filter(|one| one.containers > 0).count();
    let running = |one: &&ContainerUsage| one.container.status.is_alive();
    let running_bytes: u64 = usage
        .containers
        .iter()
        .filter(running)
        .map(|one| one.bytes)
        .sum();
    let containers_bytes: u64 = usage.containers.iter().map(|one| one.bytes).sum();
    let linked = |one: &&VolumeUsage| one.links > 0;
    let linked_bytes: u64 = usage
        .volumes
        .iter()
        .filter(linked)
        .map(|one| one.bytes)
        .sum();
    let volumes_bytes: u64 = usage.volumes.iter().map(|one| one.bytes).sum();
    vec![
        kind(
            "Images",
            (usage.images.len(), active),
            usage.images_bytes,
            part(usage.images_reclaimable, usage.images_bytes),
        ),
        kind(
            "Containers",
            (
                usage.containers.len(),
                usage.containers.iter().filter(running).count(),
            ),
            containers_bytes,
            part(containers_bytes - running_bytes, containers_bytes),
        ),
        kind(
            "Local Volumes",
            (
                usage.volumes.len(),
                usage.volumes.iter().filter(linked).count(),
            ),
            volumes_bytes,
            part(volumes_bytes - linked_bytes, volumes_bytes),
        ),
        kind(
            "Build Cache",
            (usage.garbage, 0),
            usage.garbage_bytes,
            human::size(usage.garbage_bytes),
        ),
    ]
}

fn kind(name: &str, (total, active): (usize, usize), bytes: u64, reclaimable: String) -> Value {
    Value::fields([
        ("Active", active.to_string().into()),
        ("Reclaimable", reclaimable.into()),
        ("Size", human::size(bytes).into()),
        ("TotalCount", total.to_string().into()),
        ("Type", name.into()),
    ])
}

/// `11.63MB (70%)`.
fn part(bytes: u64, all: u64) -> String {
    match (bytes * 100).checked_div(all) {
        Some(percent) => format!("{} ({percent}%)", human::size(bytes)),
        None => human::size(bytes),
    }
}

/// The rows of [`IMAGES`].
pub fn images(usage: &Usage, now: Timestamp) -> Vec<Value> {
    let mut rows = Vec::new();
    for one in &usage.images {
        let image = &one.found.image;
        let created = image.config.created.as_deref().unwrap_or_default();
        for entry in &one.found.entries {
            let name = entry.reference.as_ref();
            let tag = name.and_then(|name| name.tag()).unwrap_or("<none>");
            let repository = name.map_or("<none>".to_owned(), |name| name.familiar_name());
            rows.push(Value::fields([
                ("Containers", one.containers.to_string().into()),
                ("CreatedSince", human::ago(created, now).into()),
                ("ID", image.id().short().into()),
                ("Repository", rows::cell(&repository)),
                (
                    "SharedSize",
                    human::size(one.bytes - one.unique_bytes).into(),
                ),
                ("Size", human::size(one.bytes).into()),
                ("Tag", rows::cell(tag)),
                ("UniqueSize", human::size(one.unique_bytes).into()),
            ]));
        }
    }
    rows
}

/// The rows of [`CONTAINERS`].
pub fn containers(usage: &Usage, now: Timestamp) -> Vec<Value> {
    let row = |one: &ContainerUsage| match container::row(&one.container, now, true, None, "") {
        Value::Struct(mut fields) => {
            fields.push(("DiskSize".to_owned(), human::size(one.bytes).into()));
            Value::Struct(fields)
        }
        other => other,
    };
    usage.containers.iter().map(row).collect()
}

/// The rows of [`VOLUMES`].
pub fn volumes(usage: &Usage) -> Vec<Value> {
    let row = |one: &VolumeUsage| {
        Value::fields([
            ("Links", one.links.to_string().into()),
            ("Name", rows::cell(&one.name)),
            ("Size", human::size(one.bytes).into()),
        ])
    };
    usage.volumes.iter().map(row).collect()
}
