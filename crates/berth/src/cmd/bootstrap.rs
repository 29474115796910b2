//! `berth image bootstrap`.

use berth_engine::image::BootstrapOptions;

use super::import::source_date;
use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Make a base image of Debian's packages, without a registry
#[derive(Debug, clap::Args)]
pub struct Bootstrap {
    /// The image's name; busybox:latest or debian:SUITE by default
    #[arg(short, long, value_name = "REPOSITORY[:TAG]")]
    tag: Option<String>,
    /// Variant of mmdebstrap (minbase, essential, apt, …)
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// What to make: busybox, or debian:SUITE
    #[arg(value_name = "busybox|debian:SUITE")]
    recipe: String,
}

impl Verb for Bootstrap {
    fn run(self, globals: &Globals) -> Outcome {
        let options = BootstrapOptions {
            name: self.tag,
            epoch_s: source_date()?,
            variant: self.variant,
        };
        let loaded = context::engine(globals)?.bootstrap_image(&self.recipe, &options)?;
        for name in &loaded.names {
            super::print(&format!("{}\n", name.familiar()))?;
        }
        super::note(&format!("{}\n", loaded.id));
        Ok(0)
    }
}
