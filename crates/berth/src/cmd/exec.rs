//! `berth exec`.

use std::path::PathBuf;

use berth_engine::Error;
use berth_engine::exec::ExecRequest;

use crate::context;
use crate::globals::Globals;
use crate::opts::{self, env, mount};
use crate::ui::diagnostic::{self, Failure};
use crate::verbs::{Outcome, Verb};

/// Docker's exit code for what cannot be started.
const NOT_STARTED: u8 = 126;

/// Run a further process in a running container
#[derive(Debug, clap::Args)]
pub struct Exec {
    /// Do not wait for it
    #[arg(short, long)]
    detach: bool,
    /// Set a variable; a name alone takes the caller's value
    #[arg(short, long, value_name = "NAME[=VALUE]", action = clap::ArgAction::Append)]
    env: Vec<String>,
    /// Read variables from a file
    #[arg(long, value_name = "FILE", action = clap::ArgAction::Append)]
    env_file: Vec<PathBuf>,
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give the process a terminal
    #[arg(short, long)]
    tty: bool,
    /// Give the process all privileges
    #[arg(long)]
    privileged: bool,
    /// User (and group), by name or number; the container's by default
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory inside; the container's by default
    #[arg(short, long, value_name = "DIR", value_parser = mount::clean)]
    workdir: Option<String>,
    /// The container, by name or id, then the command and its arguments
    #[arg(value_name = "CONTAINER", required = true, num_args = 1.., trailing_var_arg = true)]
    words: Vec<String>,
}

impl Verb for Exec {
    /// As docker: 126 and 127 come from the runtime, all else is 1.
    const FAILED: u8 = diagnostic::FAILED;
    const USAGE: Option<&'static str> = Some("berth exec [OPTIONS] CONTAINER COMMAND [ARG]...");

    fn run(self, globals: &Globals) -> Outcome {
        let [name, command @ ..] = &self.words[..] else {
            return Err(Failure::new("no container was given"));
        };
        if command.is_empty() {
            return Err(
                Failure::new("no command was given").hint("berth exec CONTAINER COMMAND [ARG]...")
            );
        }
        super::foreground::check_terminal(self.interactive && !self.detach, self.tty)?;
        let request = ExecRequest {
            command: command.to_vec(),
            env: self.variables()?,
            user: self.user.clone(),
            working_dir: self.workdir.clone(),
            tty: self.tty,
            stdin: self.interactive,
            privileged: self.privileged,
            detach: self.detach,
        };
        let engine = context::engine(globals)?;
        let id = engine.find(name)?;
        let code = engine.exec(&id, &request).map_err(|error| match error {
            // A user who is not there, as a program that is not there.
            Error::Invalid { .. } => Failure::from(error).code(NOT_STARTED),
            error => error.into(),
        })?;
        Ok(u8::try_from(code).unwrap_or(255))
    }
}

impl Exec {
    fn variables(&self) -> Result<Vec<String>, Failure> {
        let mut variables = Vec::new();
        for file in &self.env_file {
            variables.extend(
                opts::read(file)
                    .and_then(|text| env::file(&text, &env::caller))
                    .map_err(Failure::new)?,
            );
        }
        for text in &self.env {
            variables.push(env::variable(text, &env::caller).map_err(Failure::new)?);
        }
        Ok(variables)
    }
}
