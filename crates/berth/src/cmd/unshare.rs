//! `berth unshare`: a command in the user namespace that rootless containers use, so that an ordinary user
//! can look at, and remove, files of subordinate ids.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::context;
use crate::globals::{self, Globals};
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Run a command in the user namespace of rootless containers
#[derive(Debug, clap::Args)]
pub struct Unshare {
    /// The command; the user's shell by default
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    words: Vec<String>,
}

impl Verb for Unshare {
    const USAGE: Option<&'static str> = Some("berth unshare [COMMAND] [ARG]...");

    fn run(self, globals: &Globals) -> Outcome {
        if !globals::rootless() {
            return Err(
                Failure::new("root has no need of a user namespace").hint("run the command itself")
            );
        }
        let words = match self.words.is_empty() {
            true => vec![std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into())],
            false => self.words,
        };
        let runtime = context::runtime(globals)?;
        // Comes back only when it failed.
        let error = Command::new(&runtime)
            .args(["unshare", "--"])
            .args(&words)
            .exec();
        Err(Failure::of(&error).within(format!("cannot run `{}`", runtime.display())))
    }
}
