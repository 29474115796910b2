//! `berth pull`.

use berth_oci::{Platform, Reference};

use crate::context;
use crate::globals::Globals;
use crate::image::is_untagged;
use crate::opts::security;
use crate::pull;
use crate::ui::progress::Style;
use crate::verbs::{Outcome, Verb};

/// Fetch an image from its registry
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Policies say what may be pulled, and by whom it has to be signed: `berth trust ls`."
)]
pub struct Pull {
    /// Platform of the image, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = security::platform)]
    platform: Option<Platform>,
    /// How progress is shown on standard error
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    progress: Style,
    /// Print the image's name only
    #[arg(short, long)]
    quiet: bool,
    /// The image
    image: String,
}

impl Verb for Pull {
    fn run(self, globals: &Globals) -> Outcome {
        let reference = Reference::parse(&self.image)?;
        let style = self.progress.unless(self.quiet);
        let engine = context::engine(globals)?;
        if is_untagged(&self.image) && !matches!(style, Style::Quiet | Style::Json) {
            super::note("Using default tag: latest\n");
        }
        let pulled = pull::pull(&engine, &reference, self.platform.as_ref(), style)?;
        super::print(&format!("{}\n", pulled.reference))?;
        Ok(0)
    }
}
