//! `berth network create`, `rm`, `connect`, `disconnect`, `prune`: not yet; each says so, after it has said what is wrong.

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

fn later(what: &str) -> Failure {
    Failure::new(format!(
        "cannot {what}: only the predefined networks exist yet"
    ))
    .hint("`berth network ls` lists them; `--network container:NAME` shares one container's")
}

/// Make a network
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What docker's create takes
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    arguments: Vec<String>,
}

impl Verb for Create {
    fn run(self, _: &Globals) -> Outcome {
        let name = self.arguments.last().map_or("", String::as_str);
        Err(later(&format!("make the network `{name}`")))
    }
}

/// Remove networks
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// Networks that are not there are fine
    #[arg(short, long)]
    force: bool,
    /// Networks, by name or id
    #[arg(required = true, value_name = "NETWORK")]
    names: Vec<String>,
}

impl Verb for Rm {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let mut code = 0;
        for name in &self.names {
            let failure = match engine.network(name) {
                Ok(found) => Failure::new(format!(
                    "{} is a pre-defined network and cannot be removed",
                    found.name
                )),
                Err(berth_engine::Error::NoNetwork { .. }) if self.force => continue,
                Err(error) => error.into(),
            };
            crate::cmd::note(&failure.to_string());
            code = 1;
        }
        Ok(code)
    }
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

/// Remove networks that no container uses: there are none
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Narrow what is removed
    #[arg(long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
}

impl Verb for Prune {
    fn run(self, _: &Globals) -> Outcome {
        // The predefined ones are never pruned, and there are no others.
        let _ = (self.force, self.filter);
        Ok(0)
    }
}
