//! The hook by which an ordinary user's container gets its network.

use std::path::PathBuf;

use berth_engine::network::connect_pasta;

use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Connect an ordinary user's container, whose state comes on standard input
#[derive(Debug, clap::Args)]
pub struct Pasta {
    /// The program
    program: PathBuf,
    /// Where it writes its number
    pid_file: PathBuf,
    /// Its options
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    options: Vec<String>,
}

impl Verb for Pasta {
    fn run(self, _: &Globals) -> Outcome {
        let fail = |what| move |error: std::io::Error| Failure::of(&error).within(what);
        let state: berth_oci::spec::State = serde_json::from_reader(std::io::stdin().lock())
            .map_err(std::io::Error::from)
            .map_err(fail("cannot read the container's state"))?;
        let init = state.pid.unwrap_or_default();
        connect_pasta(&self.program, &self.pid_file, &self.options, init)
            .map_err(fail("pasta cannot connect the container"))?;
        Ok(0)
    }
}
