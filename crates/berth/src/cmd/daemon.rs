//! `berth daemon`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cmd::{note, print};
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Serve the Docker Engine API
///
/// Docker's clients use it by `DOCKER_HOST=unix://PATH`. Containers need no daemon: they run on when it ends, and `berth`'s
/// own verbs see what its clients do. Serves until SIGTERM or SIGINT.
#[derive(Debug, clap::Args)]
pub struct Daemon {
    /// Where to listen: unix://PATH; by default berth.sock in the directory of what runs now
    #[arg(short = 'H', long, value_name = "ADDRESS", action = clap::ArgAction::Append)]
    host: Vec<String>,
}

impl Verb for Daemon {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = Arc::new(context::engine(globals)?);
        let sockets = self.sockets(globals)?;
        for socket in &sockets {
            note(&format!("listening at unix://{}\n", socket.display()));
        }
        berth_docker::run(engine, &sockets, || {
            // A service manager or a script waits for it; when it does not, nothing is lost.
            _ = print("ready\n");
        })?;
        Ok(0)
    }
}

impl Daemon {
    fn sockets(&self, globals: &Globals) -> Result<Vec<PathBuf>, Failure> {
        if self.host.is_empty() {
            return Ok(vec![globals.run_directory().join("berth.sock")]);
        }
        let parse = |host: &String| match host.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
            _ => Err(
                Failure::usage(format!("`{host}` is no address to listen at"))
                    .hint("an address is unix:///PATH"),
            ),
        };
        self.host.iter().map(parse).collect()
    }
}
