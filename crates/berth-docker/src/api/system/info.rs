//! `GET /info`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::info::Document;

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let version = ask.version;
    let settings = ask.docker.settings.get();
    ask.work(move |engine| {
        let info = engine.info()?;
        let document = Document::of(&info, engine, version).with(&settings);
        Ok::<_, berth_engine::image::Error>(Answer::json(&document))
    })
    .await
}
