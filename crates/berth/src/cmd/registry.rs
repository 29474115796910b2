//! `berth registry`: a registry of one's own, and the histories of its tags.

pub mod fsck;
pub mod gc;
pub mod history;
pub mod rollback;
pub mod serve;

use std::path::PathBuf;

use berth_engine::registry::Error;
use berth_model::ErrorKind;
use berth_registry_server::config::Config;

use crate::ui::diagnostic::Failure;

/// What no other registry knows is not there.
fn failed(error: &Error) -> Failure {
    let failure = Failure::of(error);
    match error.kind() {
        ErrorKind::NotFound => {
            failure.hint("check name and tag; only a registry served by berth keeps histories")
        }
        _ => failure,
    }
}

/// Which registry of this machine.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The registry's configuration: its root, rules and times
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where it keeps everything
    #[arg(long, value_name = "DIRECTORY")]
    root: Option<PathBuf>,
}

impl Place {
    /// Its root, which is there, and what else is set.
    fn open(self) -> Result<(PathBuf, Config), Failure> {
        let config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        let root = self.root.unwrap_or_else(|| config.root.clone());
        if root.join("VERSION").is_file() {
            return Ok((root, config));
        }
        Err(
            Failure::new(format!("there is no registry at `{}`", root.display()))
                .hint("--root names its directory, or --config its configuration"),
        )
    }
}
