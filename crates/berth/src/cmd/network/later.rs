//! `berth network connect`, `disconnect`: not yet; each says so.

use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

fn later(what: &str) -> Failure {
    Failure::new(format!(
        "cannot {what}: only the predefined networks exist yet"
    ))
    .hint("`berth network ls` lists them; `--network container:NAME` shares one container's")
}

/// Connect a container to a network
#[derive(Debug, clap::Args)]
pub struct Connect {
    /// What docker's connect takes
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    arguments: Vec<String>,
}

impl Verb for Connect {
    fn run(self, _: &Globals) -> Outcome {
        Err(later("connect a container to a further network"))
    }
}

/// Disconnect a container from a network
#[derive(Debug, clap::Args)]
pub struct Disconnect {
    /// What docker's disconnect takes
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    arguments: Vec<String>,
}

impl Verb for Disconnect {
    fn run(self, _: &Globals) -> Outcome {
        Err(later("disconnect a container from its network"))
    }
}
