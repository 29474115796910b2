//! `POST /containers/{id}/rename`.

use berth_engine::Error;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let new = ask
        .query
        .get("name")
        .ok_or_else(|| Failure::bad("Neither old nor new names may be empty"))?;
    let new = new.to_owned();
    let renamed = ask.work(move |engine| {
        let id = engine.find(&name)?;
        if engine.find(&new).is_ok_and(|other| other == id)
            && engine.inspect(&id)?.name == bare(&new)
        {
            return Err(Failure::bad(
                "Renaming a container with the same name as its current name",
            ));
        }
        engine
            .rename(&id, &new)
            .map_err(|error| refused(error, &new))
    });
    renamed.await?;
    Ok(Answer::done())
}

fn bare(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// In the words that clients know.
fn refused(error: Error, name: &str) -> Failure {
    let failure = match error {
        Error::BadName { .. } => Failure::bad(format!(
            "Invalid container name (/{}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
            bare(name)
        )),
        Error::NameTaken { .. } => Failure::from(error),
        other => return other.into(),
    };
    let message = format!("Error when allocating new name: {}", failure.message);
    Failure::new(failure.status, message)
}
