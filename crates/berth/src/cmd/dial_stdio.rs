//! `berth system dial-stdio`.

use crate::globals::Globals;
use crate::remote::{connect, host::Host};
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Be the way to this machine's daemon, by standard input and output
///
/// What ssh runs for `berth --host ssh://…`, and docker's command likewise. `--host unix://PATH` before the verb names
/// another socket than the one that `berth daemon` takes by itself.
#[derive(Debug, clap::Args)]
pub struct DialStdio {}

impl Verb for DialStdio {
    fn run(self, globals: &Globals) -> Outcome {
        let path = match globals.host.as_deref().map(Host::parse).transpose()? {
            None => globals.socket(),
            Some(Host::Unix(path)) => path,
            Some(_) => return Err(Failure::new("only a socket of this machine is dialled")),
        };
        connect::dial_stdio(&path)?;
        Ok(0)
    }
}
