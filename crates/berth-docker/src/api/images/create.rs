//! `POST /images/create`: a pull, or an import of the archive that is the body.

use berth_engine::image::ImportOptions;

use super::pull;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::messages;

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    match (ask.query.get("fromImage"), ask.query.get("fromSrc")) {
        (Some(_), _) => pull::answer(ask).await,
        (None, Some("-")) => import(ask).await,
        (None, Some(_)) => Err(Failure::bad(
            "an archive is imported from the request's body only (fromSrc=-): fetch it first",
        )),
        (None, None) => Err(Failure::bad(
            "neither `fromImage`, an image to pull, nor `fromSrc`, an archive to import, is given",
        )),
    }
}

async fn import(ask: Ask) -> Result<Answer, Failure> {
    let query = &ask.query;
    let name = match query.get("repo") {
        Some(name) => Some(super::reference(name, query.get("tag"))?.to_string()),
        None => None,
    };
    let options = ImportOptions {
        name,
        changes: super::changes(&ask),
        message: query.get("message").unwrap_or_default().to_owned(),
        source: "-".to_owned(),
        platform: super::platform(&ask)?,
        created_s: None,
    };
    let (engine, peer) = (ask.docker.engine.clone(), ask.peer.clone());
    let source = ask.into_source();
    messages::answer(peer, move |messages| {
        let made = engine.import_image(source, &options);
        let made = made.map_err(Failure::of_content)?;
        messages.status(&made.id.to_string());
        Ok(())
    })
    .await
}
