//! `GET /exec/{id}/json`.

use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    #[serde(rename = "Running")]
    running: bool,
    #[serde(rename = "ExitCode")]
    exit_code: Option<i32>,
    #[serde(rename = "ProcessConfig")]
    process: Process<'a>,
    #[serde(rename = "OpenStdin")]
    open_stdin: bool,
    #[serde(rename = "OpenStderr")]
    open_stderr: bool,
    #[serde(rename = "OpenStdout")]
    open_stdout: bool,
    #[serde(rename = "CanRemove")]
    can_remove: bool,
    #[serde(rename = "ContainerID")]
    container: &'a str,
    #[serde(rename = "DetachKeys")]
    detach_keys: &'static str,
    #[serde(rename = "Pid")]
    pid: i32,
}

#[derive(Serialize)]
struct Process<'a> {
    tty: bool,
    entrypoint: &'a str,
    arguments: &'a [String],
    privileged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

pub(crate) async fn answer(ask: Ask, id: &str) -> Result<Answer, Failure> {
    let exec = ask.docker.execs.find(id)?;
    let text = std::fs::read_to_string(exec.pid_file(&ask.docker.engine));
    let pid = text
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    let (program, arguments) = exec
        .request
        .command
        .split_first()
        .expect("it has a command");
    let state = exec.state();
    Ok(Answer::json(&Document {
        id: &exec.id,
        running: state.running,
        exit_code: state.exit_code,
        process: Process {
            tty: exec.request.tty,
            entrypoint: program,
            arguments,
            privileged: exec.request.privileged,
            user: exec.request.user.as_deref(),
        },
        open_stdin: exec.wants_stdin,
        open_stderr: exec.wants_stderr,
        open_stdout: exec.wants_stdout,
        can_remove: false,
        container: exec.container.as_str(),
        detach_keys: "",
        pid,
    }))
}
