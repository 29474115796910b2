//! `berth internal`: what berth starts itself as; not for users.

pub mod network;
pub mod pasta;

use std::ffi::OsString;
use std::process::ExitCode;

use berth_model::ContainerId;

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Clean up after a container that ended
#[derive(Debug, clap::Args)]
pub struct Reap {
    /// The container's id
    id: String,
}

impl Verb for Reap {
    fn run(self, globals: &Globals) -> Outcome {
        let id = ContainerId::parse(&self.id).map_err(Failure::new)?;
        let engine = context::engine(globals)?;
        engine.reap(&id)?;
        engine.restart_when_due(&id)?;
        Ok(0)
    }
}

/// Remove the bridge network from the host: the last step of a removal of berth
#[derive(Debug, clap::Args)]
pub struct RemoveBridge {}

impl Verb for RemoveBridge {
    fn run(self, globals: &Globals) -> Outcome {
        context::engine(globals)?.remove_bridge()?;
        Ok(0)
    }
}

/// Keep a container frozen until the end of standard input
#[derive(Debug, clap::Args)]
pub struct Thaw {
    /// The container's id
    id: String,
}

impl Verb for Thaw {
    fn run(self, globals: &Globals) -> Outcome {
        let id = ContainerId::parse(&self.id).map_err(Failure::new)?;
        let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
        context::engine(globals)?.thaw_at_end(&id, input, output)?;
        Ok(0)
    }
}

/// The confined children of the engine: they give up their rights first, so they come before the parser.
/// `None`: the arguments ask for none of them.
pub fn confined(args: &[OsString]) -> Option<ExitCode> {
    let (Some(group), Some(verb)) = (args.get(1), args.get(2)) else {
        return None;
    };
    if group != "internal" {
        return None;
    }
    let rest = || args[3..].iter().cloned();
    match verb.to_str()? {
        "unpack" => Some(berth_engine::unpack::child(rest())),
        "read" => Some(berth_engine::unpack::read(rest())),
        "export" => Some(berth_engine::export::child(rest())),
        "archive" => Some(berth_engine::archive::child(rest())),
        "fill" => Some(berth_engine::volumes::child(rest())),
        "purge" => Some(berth_engine::unpack::purge(rest())),
        _ => None,
    }
}
