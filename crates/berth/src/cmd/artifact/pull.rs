//! `berth artifact pull`.

use std::path::PathBuf;

use berth_engine::artifact::{self, PullOptions};

use super::reference;
use crate::cmd::{login::config, note, print};
use crate::globals::Globals;
use crate::ui::human;
use crate::verbs::{Outcome, Verb};

/// Fetch the files of an artifact
#[derive(Debug, clap::Args)]
pub struct Pull {
    /// Where the files go
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// Replace files that are there
    #[arg(long)]
    overwrite: bool,
    /// Print the files' names only
    #[arg(short, long)]
    quiet: bool,
    /// The artifact
    artifact: String,
}

impl Verb for Pull {
    fn run(self, _: &Globals) -> Outcome {
        let options = PullOptions {
            directory: self.output,
            overwrite: self.overwrite,
        };
        let mut names = String::new();
        let pulled = artifact::pull(
            config()?,
            &reference(&self.artifact)?,
            &options,
            &mut |file| {
                names += &format!("{}\n", file.name);
                if !self.quiet {
                    note(&format!("{}: {}\n", file.name, human::size(file.size)));
                }
            },
        );
        print(&names)?;
        let digest = pulled?;
        if !self.quiet {
            note(&format!("Digest: {digest}\n"));
        }
        Ok(0)
    }
}
