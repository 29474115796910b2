//! `berth history`.

use berth_docker::form;
use berth_oci::Platform;
use jiff::Timestamp;

use crate::context;
use crate::globals::Globals;
use crate::opts::security;
use crate::verbs::{Outcome, Verb};
use crate::view::image::{self, HistoryOptions};

/// Show how an image came about
#[derive(Debug, clap::Args)]
pub struct History {
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Sizes and times for humans
    #[arg(short = 'H', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_possible_values = true, action = clap::ArgAction::Set)]
    human: bool,
    /// Do not shorten anything
    #[arg(long)]
    no_trunc: bool,
    /// Of an image for several platforms, the one for this, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = security::platform)]
    platform: Option<Platform>,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// The image, by name or id
    image: String,
}

impl Verb for History {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let details = engine.image_details_of(&self.image, self.platform.as_ref())?;
        let options = HistoryOptions {
            truncate: !self.no_trunc,
            human: self.human,
        };
        let lines = image::history(&form::image::history(&details), Timestamp::now(), options);
        super::print(&image::HISTORY.print(self.format.as_deref(), self.quiet, &lines)?)?;
        Ok(0)
    }
}
