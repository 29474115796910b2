//! `berth attach`.

use berth_engine::attach::DetachKeys;

use super::foreground::Foreground;
use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Connect to a running container's input and output
#[derive(Debug, clap::Args)]
pub struct Attach {
    /// Keys that detach, such as ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Do not pass standard input on
    #[arg(long)]
    no_stdin: bool,
    /// Pass signals on
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// The container, by name or id
    container: String,
}

impl Verb for Attach {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        let process = engine.config(&id)?.process;
        let foreground = Foreground {
            stdin: process.stdin && !self.no_stdin,
            shown: (true, true),
            tty: process.tty,
            sig_proxy: self.sig_proxy && !process.tty,
            detach_keys: self.detach_keys.unwrap_or_default(),
        };
        foreground.attach(&engine, &id)
    }
}
