//! `POST /containers/{id}/exec`.

use berth_engine::attach::DetachKeys;
use berth_engine::exec::ExecRequest;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::execs::NewExec;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    attach_stdin: Option<bool>,
    attach_stdout: Option<bool>,
    attach_stderr: Option<bool>,
    // docker-py writes it as it stands in docker's config.json.
    #[serde(alias = "detachKeys")]
    detach_keys: Option<String>,
    tty: Option<bool>,
    env: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    privileged: Option<bool>,
    user: Option<String>,
    working_dir: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

pub(crate) async fn answer(mut ask: Ask, name: &str) -> Result<Answer, Failure> {
    let asked: Asked = ask.json().await?;
    let command = asked.cmd.unwrap_or_default();
    if command.is_empty() {
        return Err(Failure::bad("No exec command specified"));
    }
    let text = |value: Option<String>| value.filter(|value| !value.is_empty());
    let request = ExecRequest {
        command,
        env: asked.env.unwrap_or_default(),
        user: text(asked.user),
        working_dir: text(asked.working_dir),
        tty: asked.tty.unwrap_or(false),
        stdin: asked.attach_stdin.unwrap_or(false),
        privileged: asked.privileged.unwrap_or(false),
        detach: false,
    };
    let detach_keys = match asked.detach_keys {
        Some(keys) if !keys.is_empty() => keys.parse()?,
        _ => DetachKeys::default(),
    };
    let name = name.to_owned();
    let container = ask.work(move |engine| {
        let id = engine.find(&name)?;
        match engine.may_exec(&id) {
            Ok(()) => Ok(id),
            // Clients look for these words.
            Err(berth_engine::Error::WrongState {
                state: "paused", ..
            }) => Err(Failure::new(
                StatusCode::CONFLICT,
                format!("Container {name} is paused, unpause the container before exec"),
            )),
            Err(berth_engine::Error::WrongState { .. }) => Err(Failure::new(
                StatusCode::CONFLICT,
                format!("Container {id} is not running"),
            )),
            Err(error) => Err(error.into()),
        }
    });
    let id = ask.docker.execs.add(NewExec {
        container: container.await?,
        wants_stdin: request.stdin,
        wants_stdout: asked.attach_stdout.unwrap_or(false),
        wants_stderr: asked.attach_stderr.unwrap_or(false),
        request,
        detach_keys,
    })?;
    Ok(Answer::created(&Made { id }))
}
