//! `GET /images/json`.

use std::collections::HashMap;

use berth_engine::image::Listed;
use berth_oci::Digest;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::filter::Filters;
use crate::form::image::{Summary, manifest, signed, summary};
use crate::{Version, select};

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let mut filters = ask.query.filters()?;
    if ask.version < Version(1, 41)
        && let Some(name) = ask.query.get("filter")
    {
        filters
            .entry("reference".to_owned())
            .or_default()
            .push(name.to_owned());
    }
    let filters = Filters::checked(filters, select::IMAGES).map_err(Failure::bad)?;
    let shared = ask.query.is_on("shared-size") && ask.version >= Version(1, 42);
    let manifests = ask.query.is_on("manifests") && ask.version >= Version(1, 47);
    let version = ask.version;
    let listed = ask.work(move |engine| {
        let selected = select::images(engine, &filters)?;
        let all = match shared {
            true => Some(engine.list_images()?),
            false => None,
        };
        let parts = match manifests {
            true => {
                let parts = selected.iter().map(|one| engine.image_parts(&one.found));
                parts.collect::<Result<Vec<_>, _>>()?
            }
            false => Vec::new(),
        };
        Ok::<_, Failure>((selected, all, parts))
    });
    let (selected, all, parts) = listed.await?;
    let mut documents: Vec<Summary> = selected.iter().map(|one| summary(one, version)).collect();
    for (parts, document) in parts.into_iter().zip(&mut documents) {
        document.manifests = Some(parts.into_iter().map(manifest).collect());
    }
    if let Some(all) = all {
        let users = users(&all);
        for (listed, document) in selected.iter().zip(&mut documents) {
            let layers = listed.layers.iter();
            let several = layers.filter(|(chain, _)| users.get(chain).is_some_and(|n| *n > 1));
            document.shared_size = several.map(|(_, bytes)| signed(*bytes)).sum();
        }
    }
    Ok(Answer::json(&documents))
}

/// How many images have each layer.
fn users(all: &[Listed]) -> HashMap<&Digest, usize> {
    let mut users = HashMap::new();
    for (chain, _) in all.iter().flat_map(|listed| &listed.layers) {
        *users.entry(chain).or_default() += 1;
    }
    users
}
