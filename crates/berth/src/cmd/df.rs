//! `berth system df`.

use berth_engine::usage::Usage;
use jiff::Timestamp;

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};
use crate::view::usage;

/// Show what takes how much of the disk
///
/// Sizes are what is taken on the disk; what images share counts once. "Build Cache" is content that no image and no
/// container needs (any more): `berth system gc` removes it.
#[derive(Debug, clap::Args)]
pub struct Df {
    /// Each image, container and volume
    #[arg(short, long)]
    verbose: bool,
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Verb for Df {
    fn run(self, globals: &Globals) -> Outcome {
        if self.verbose && self.format.is_some() {
            return Err(Failure::new("--format and --verbose exclude each other"));
        }
        let usage = context::engine(globals)?.usage()?;
        let text = if self.verbose {
            verbose(&usage)?
        } else {
            let rows = usage::summary(&usage);
            usage::SUMMARY.print(self.format.as_deref(), false, &rows)?
        };
        super::print(&text)?;
        Ok(0)
    }
}

/// The columns of a cache that is a builder's.
const CACHE: &str = "CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED";

fn verbose(usage: &Usage) -> Result<String, Failure> {
    let now = Timestamp::now();
    let images = usage::IMAGES.print(None, false, &usage::images(usage, now))?;
    let containers = usage::CONTAINERS.print(None, false, &usage::containers(usage, now))?;
    let volumes = usage::VOLUMES.print(None, false, &usage::volumes(usage))?;
    Ok(format!(
        "Images space usage:\n\n{images}\nContainers space usage:\n\n{containers}\n\
         Local Volumes space usage:\n\n{volumes}\nBuild cache usage: {}\n\n{CACHE}\n",
        crate::ui::human::size(usage.garbage_bytes),
    ))
}
