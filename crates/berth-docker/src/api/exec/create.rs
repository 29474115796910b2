//! `POST /containers/{id}/exec`.

use berth_engine::attach::DetachKeys;
use berth_engine::events::ExecStep;
use berth_engine::exec::ExecRequest;
use berth_model::ContainerId;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::api::containers;
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
    let docker = ask.docker.clone();
    let made = ask.work(move |engine| {
        let container = engine.find(&name)?;
        engine
            .may_exec(&container)
            .map_err(|error| refusal(error, &name, &container))?;
        let (command, privileged) = (request.command.clone(), request.privileged);
        let id = docker.execs.add(NewExec {
            container: container.clone(),
            wants_stdin: request.stdin,
            wants_stdout: asked.attach_stdout.unwrap_or(false),
            wants_stderr: asked.attach_stderr.unwrap_or(false),
            request,
            detach_keys,
        })?;
        engine.record_exec(&container, &id, ExecStep::Create(&command, privileged));
        Ok::<_, Failure>(id)
    });
    let id = made.await?;
    Ok(Answer::created(&Made { id }))
}

/// In the words that clients look for.
fn refusal(error: berth_engine::Error, name: &str, id: &ContainerId) -> Failure {
    match error {
        berth_engine::Error::WrongState {
            state: "paused", ..
        } => Failure::new(
            StatusCode::CONFLICT,
            format!("Container {name} is paused, unpause the container before exec"),
        ),
        other => containers::state(id, other),
    }
}
