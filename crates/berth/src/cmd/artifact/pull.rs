//! `berth artifact pull`.

use std::path::PathBuf;

use berth_engine::artifact::{self, FileStep, PullOptions};
use berth_oci::Reference;

use crate::cmd::print;
use crate::globals::Globals;
use crate::pull::{registries, trust_files};
use crate::ui::progress::{Progress, Style};
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
    /// How progress is shown on standard error
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    progress: Style,
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
        let trust = trust_files().load()?;
        let mut progress = Progress::stderr(self.progress.unless(self.quiet));
        let mut names = String::new();
        let name = Reference::parse(&self.artifact)?;
        let pulled = artifact::pull(registries()?, &trust, &name, &options, &mut |event| {
            if event.step == FileStep::Written {
                names += &format!("{}\n", event.name);
            }
            progress.file(event);
        });
        progress.finish();
        print(&names)?;
        progress.say(&format!("Digest: {}", pulled?));
        Ok(0)
    }
}
