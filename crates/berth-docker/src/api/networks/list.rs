//! `GET /networks`.

use berth_engine::network::NetworkInfo;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::filter::Filters;
use crate::form::network::Document;

const FILTERS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let filters = Filters::checked(ask.query.filters()?, FILTERS).map_err(Failure::bad)?;
    for kind in filters.values("type") {
        if !matches!(kind.as_str(), "builtin" | "custom") {
            return Err(Failure::bad(format!("invalid filter: 'type'='{kind}'")));
        }
    }
    let dangling = filters.boolean("dangling").map_err(Failure::bad)?;
    let networks = ask.work(|engine| engine.networks(false)).await?;
    let fits = |network: &&NetworkInfo| {
        // None of them can be removed, so none is in anybody's way; none has a label.
        dangling != Some(true)
            && !filters.has("label")
            && filters.any("driver", |driver| network.driver == driver)
            && filters.any("id", |id| network.id.starts_with(id))
            && filters.any("name", |name| network.name.contains(name))
            && filters.any("scope", |scope| scope == "local")
            && filters.any("type", |kind| kind == "builtin")
    };
    let rows = networks.iter().filter(fits);
    let rows = rows.map(|network| Document::of(network, false, ask.version));
    Ok(Answer::json(&rows.collect::<Vec<_>>()))
}
