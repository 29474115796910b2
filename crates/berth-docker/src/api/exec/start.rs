//! `POST /exec/{id}/start`: the runtime is started, its streams go over the connection.

use std::process::Stdio;
use std::sync::Arc;

use berth_engine::Engine;
use berth_engine::events::ExecStep;
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;

use super::console::Console;
use super::process::Process;
use super::resize::set_size;
use super::session;
use crate::answer::Answer;
use crate::api::containers::attach::content_type;
use crate::ask::Ask;
use crate::error::Failure;
use crate::execs::Exec;
use crate::serve::stream::{Input, Output, piece};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    detach: Option<bool>,
    tty: Option<bool>,
    console_size: Option<(u16, u16)>,
}

pub(crate) async fn answer(mut ask: Ask, id: &str) -> Result<Answer, Failure> {
    let asked: Asked = ask.json_or_default().await?;
    let exec = ask.docker.execs.find(id)?;
    if asked.tty.is_some_and(|tty| tty && !exec.request.tty) {
        return Err(Failure::bad(
            "the exec instance was created without a terminal",
        ));
    }
    {
        let mut state = exec.state();
        if state.started {
            let word = if state.running {
                "already running"
            } else {
                "has already run"
            };
            return Err(Failure::new(
                StatusCode::CONFLICT,
                format!("Error: Exec command {id} is {word}"),
            ));
        }
        state.started = true;
    }
    let detached = asked.detach.unwrap_or(false);
    let started = exec.clone();
    let launched = ask.work(move |engine| launch(engine, &started, detached, asked.console_size));
    let process = match launched.await {
        Ok(process) => process,
        Err(failure) => {
            exec.end(126);
            return match failure.status {
                // Clients show what comes over the connection, and no refusal of it.
                StatusCode::BAD_REQUEST if !detached => Ok(tell(ask, &asked, failure)),
                _ => Err(failure),
            };
        }
    };
    let engine = ask.docker.engine.clone();
    if detached {
        tokio::spawn(async move {
            let code = process.wait().await;
            exec.died(&engine, code);
        });
        return Ok(Answer::empty(StatusCode::OK));
    }
    let peer = ask.peer.clone();
    // Whether there is a terminal is said at the creation; whether output is framed, here.
    let framed = !asked.tty.unwrap_or(false);
    let kind = content_type(!framed, ask.version);
    let (answer, directions) = ask.hijack(kind);
    tokio::spawn(async move {
        let Some((input, back)) = directions.await else {
            // The process runs on without its client, as a detached one.
            let code = process.wait().await;
            return exec.died(&engine, code);
        };
        let input = if exec.wants_stdin {
            input
        } else {
            Input::Ended
        };
        session::run(process, &engine, &exec, framed, input, back, peer).await;
    });
    Ok(answer)
}

/// Why nothing was started, as if it had said so itself.
fn tell(ask: Ask, asked: &Asked, failure: Failure) -> Answer {
    let framed = !asked.tty.unwrap_or(false);
    let kind = content_type(!framed, ask.version);
    let (answer, directions) = ask.hijack(kind);
    tokio::spawn(async move {
        let Some((_, mut back)) = directions.await else {
            return;
        };
        let line = Bytes::from(failure.message + "\r\n");
        // A client that has gone needs no answer.
        _ = back.send(piece(framed, Output::Stderr, line)).await;
        back.end().await;
    });
    answer
}

fn launch(
    engine: &Engine,
    exec: &Exec,
    detached: bool,
    size: Option<(u16, u16)>,
) -> Result<Process, Failure> {
    let tty = exec.request.tty;
    let console = match tty {
        true => {
            let name = format!("exec-{}.sock", &exec.id[..12]);
            Some(Console::listen(
                &engine.layout().task(&exec.container),
                &name,
            )?)
        }
        false => None,
    };
    let socket = console.as_ref().map(|console| console.path.as_path());
    let pid_file = exec.pid_file(engine);
    let mut prepared =
        engine.prepare_exec(&exec.container, &exec.request, socket, Some(&pid_file))?;
    let stream = |wanted: bool| match wanted && !detached {
        true => Stdio::piped(),
        false => Stdio::null(),
    };
    let command = prepared.command();
    command
        .stdin(stream(exec.wants_stdin && !tty))
        .stdout(stream(exec.wants_stdout && !tty))
        .stderr(stream(exec.wants_stderr && !tty));
    let mut process = Process::new(command.spawn()?, prepared)?;
    if detached {
        // Who asks for it next is to find it.
        process.wait_for(&pid_file);
    }
    if let Some(console) = console {
        let terminal = console.accept(&process.pidfd)?;
        if let (Some(terminal), Some((rows, columns))) = (&terminal, size) {
            // A terminal of another size is one all the same.
            _ = set_size(terminal, rows, columns);
        }
        process.terminal = terminal.map(Arc::new);
    }
    let command = ExecStep::Start(&exec.request.command);
    engine.record_exec(&exec.container, &exec.id, command);
    let mut state = exec.state();
    state.running = true;
    state.terminal = process.terminal.clone();
    drop(state);
    Ok(process)
}
