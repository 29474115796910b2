//! `POST /images/{name}/tag`.

use http::StatusCode;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let repository = ask.query.get("repo").unwrap_or_default();
    let target = super::reference(repository, ask.query.get("tag"))?;
    let name = name.to_owned();
    let tagged = ask.work(move |engine| engine.tag_image(&name, &target.to_string()));
    tagged.await?;
    Ok(Answer::empty(StatusCode::CREATED))
}
