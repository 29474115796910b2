//! `berth start`.

use berth_engine::attach::DetachKeys;
use berth_engine::start::StartOptions;

use super::foreground::Foreground;
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Start containers
#[derive(Debug, clap::Args)]
pub struct Start {
    /// Show the container's output and pass signals on
    #[arg(short, long)]
    attach: bool,
    /// Pass standard input on too
    #[arg(short, long)]
    interactive: bool,
    /// Keys that detach, such as ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Start {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        if !self.attach && !self.interactive {
            return super::each::in_turn(&engine, &self.containers, |id| {
                Ok(engine.start(id, StartOptions::default()).map(drop)?)
            });
        }
        let [name] = &self.containers[..] else {
            return Err(Failure::new("one container at a time can be attached to"));
        };
        let id = engine.find(name)?;
        let process = engine.config(&id)?.process;
        let foreground = Foreground {
            stdin: self.interactive && process.stdin,
            shown: (true, true),
            tty: process.tty,
            sig_proxy: !process.tty,
            detach_keys: self.detach_keys.unwrap_or_default(),
        };
        // One that runs already is only attached to.
        if engine.status(&id)?.is_alive() {
            return foreground.attach(&engine, &id);
        }
        foreground.start(&engine, &id)
    }
}
