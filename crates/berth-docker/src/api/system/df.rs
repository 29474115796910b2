//! `GET /system/df`: what takes how much of the disk.

use std::collections::HashSet;

use berth_engine::image::Listed;
use berth_engine::layout::Layout;
use berth_engine::usage::{ContainerUsage, ImageUsage, Usage};
use jiff::Timestamp;
use serde::Serialize;

use crate::Version;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::image::{self, signed};
use crate::form::summary::Summary;
use crate::form::volume::{UsageData, Volume, volume};

/// Before 1.52: all of each sort.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Lists<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    layers_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<Vec<image::Summary>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    containers: Option<Vec<Summary<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volumes: Option<Vec<Volume>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_cache: Option<[(); 0]>,
}

/// Since 1.52: sums, and the lists if they are wanted.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sums<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_usage: Option<Sum<image::Summary>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_usage: Option<Sum<Summary<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_usage: Option<Sum<Volume>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_cache_usage: Option<Sum<()>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sum<T> {
    active_count: usize,
    total_count: usize,
    reclaimable: i64,
    total_size: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<T>,
}

/// The sorts that a request asks for; none: all.
struct Wanted(HashSet<String>);

impl Wanted {
    fn of(ask: &Ask) -> Result<Wanted, Failure> {
        let known = ["container", "image", "volume", "build-cache"];
        let wanted = ask.query.all("type");
        if let Some(other) = wanted.iter().find(|kind| !known.contains(kind)) {
            return Err(Failure::bad(format!("unknown object type: {other}")));
        }
        Ok(Wanted(wanted.into_iter().map(str::to_owned).collect()))
    }

    fn some<T>(&self, kind: &str, make: impl FnOnce() -> T) -> Option<T> {
        (self.0.is_empty() || self.0.contains(kind)).then(make)
    }
}

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let wanted = Wanted::of(&ask)?;
    let (version, verbose) = (ask.version, ask.query.is_on("verbose"));
    let answer = ask.work(move |engine| {
        let usage = engine.usage()?;
        let volumes = volumes(engine, &usage)?;
        Ok::<_, Failure>(match version < Version(1, 52) {
            true => Answer::json(&lists(&usage, volumes, engine.layout(), &wanted, version)),
            false => Answer::json(&sums(&usage, volumes, engine.layout(), &wanted, verbose)),
        })
    });
    answer.await
}

fn volumes(engine: &berth_engine::Engine, usage: &Usage) -> Result<Vec<Volume>, Failure> {
    let mut volumes = Vec::new();
    for one in &usage.volumes {
        // Gone meanwhile: it takes nothing any more.
        if let Ok(found) = engine.volume(&one.name) {
            volumes.push(Volume {
                usage_data: Some(UsageData {
                    ref_count: i64::try_from(one.links).unwrap_or(i64::MAX),
                    size: signed(one.bytes),
                }),
                ..volume(&found)
            });
        }
    }
    Ok(volumes)
}

fn lists<'a>(
    usage: &'a Usage,
    volumes: Vec<Volume>,
    layout: &Layout,
    wanted: &Wanted,
    version: Version,
) -> Lists<'a> {
    Lists {
        layers_size: wanted.some("image", || signed(usage.images_bytes)),
        images: wanted.some("image", || images(usage, version)),
        containers: wanted.some("container", || containers(usage, layout, version)),
        volumes: wanted.some("volume", || volumes),
        build_cache: wanted.some("build-cache", || []),
    }
}

fn sums<'a>(
    usage: &'a Usage,
    volumes: Vec<Volume>,
    layout: &Layout,
    wanted: &Wanted,
    verbose: bool,
) -> Sums<'a> {
    Sums {
        image_usage: wanted.some("image", || Sum {
            active_count: usage.images.iter().filter(|one| one.containers > 0).count(),
            total_count: usage.images.len(),
            reclaimable: signed(usage.images_reclaimable),
            total_size: signed(usage.images_bytes),
            items: match verbose {
                true => images(usage, crate::MAX),
                false => Vec::new(),
            },
        }),
        container_usage: wanted.some("container", || {
            let runs = |one: &&ContainerUsage| one.container.status.is_alive();
            let rest = usage.containers.iter().filter(|one| !runs(one));
            Sum {
                active_count: usage.containers.iter().filter(runs).count(),
                total_count: usage.containers.len(),
                reclaimable: signed(rest.map(|one| one.bytes).sum()),
                total_size: signed(usage.containers.iter().map(|one| one.bytes).sum()),
                items: match verbose {
                    true => containers(usage, layout, crate::MAX),
                    false => Vec::new(),
                },
            }
        }),
        volume_usage: wanted.some("volume", || Sum {
            active_count: usage.volumes.iter().filter(|one| one.links > 0).count(),
            total_count: usage.volumes.len(),
            reclaimable: {
                let rest = usage.volumes.iter().filter(|one| one.links == 0);
                signed(rest.map(|one| one.bytes).sum())
            },
            total_size: signed(usage.volumes.iter().map(|one| one.bytes).sum()),
            items: match verbose {
                true => volumes,
                false => Vec::new(),
            },
        }),
        build_cache_usage: wanted.some("build-cache", || Sum {
            active_count: 0,
            total_count: 0,
            reclaimable: 0,
            total_size: 0,
            items: Vec::new(),
        }),
    }
}

fn images(usage: &Usage, version: Version) -> Vec<image::Summary> {
    let document = |one: &ImageUsage| {
        let listed = Listed {
            found: one.found.clone(),
            layers: Vec::new(),
        };
        let size = signed(one.bytes);
        let summary = image::summary(&listed, version);
        image::Summary {
            size,
            virtual_size: summary.virtual_size.map(|_| size),
            shared_size: signed(one.bytes - one.unique_bytes),
            containers: i64::try_from(one.containers).unwrap_or(i64::MAX),
            ..summary
        }
    };
    usage.images.iter().map(document).collect()
}

fn containers<'a>(usage: &'a Usage, layout: &Layout, version: Version) -> Vec<Summary<'a>> {
    let now = Timestamp::now();
    let document = |one: &'a ContainerUsage| {
        let sizes = Some((one.bytes, 0));
        let network = Default::default();
        Summary::of(&one.container, layout, now, version, sizes, &network)
    };
    usage.containers.iter().map(document).collect()
}
