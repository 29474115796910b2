//! `berth pull`.

use berth_engine::registry;
use berth_oci::{Platform, Reference};

use crate::context;
use crate::globals::Globals;
use crate::image::is_untagged;
use crate::opts::content_trust::ContentTrust;
use crate::opts::security;
use crate::pull;
use crate::ui::diagnostic::Failure;
use crate::ui::progress::Style;
use crate::verbs::{Outcome, Verb};

/// Fetch an image from its registry
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Policies say what may be pulled, and by whom it has to be signed: `berth trust ls`."
)]
pub struct Pull {
    /// Fetch all tags of the repository
    #[arg(short, long)]
    all_tags: bool,
    #[command(flatten)]
    content_trust: ContentTrust,
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
        self.content_trust.check()?;
        let reference = Reference::parse(&self.image)?;
        let style = self.progress.unless(self.quiet);
        let engine = context::engine(globals)?;
        let platform = self.platform.as_ref();
        if self.all_tags {
            for reference in self.all(&reference)? {
                pull::pull(&engine, &reference, platform, style)?;
            }
            super::print(&format!("{}\n", reference.name()))?;
            return Ok(0);
        }
        if is_untagged(&self.image) && !matches!(style, Style::Quiet | Style::Json) {
            super::note("Using default tag: latest\n");
        }
        let pulled = pull::pull(&engine, &reference, platform, style)?;
        super::print(&format!("{}\n", pulled.reference))?;
        Ok(0)
    }
}

impl Pull {
    /// One reference a tag of the repository.
    fn all(&self, repository: &Reference) -> Result<Vec<Reference>, Failure> {
        if !is_untagged(&self.image) {
            return Err(Failure::new("a tag cannot be given with --all-tags")
                .hint("name the repository alone"));
        }
        let tags = registry::tags(pull::registries()?, repository)?;
        let mut references = Vec::new();
        for tag in tags {
            references.push(Reference::parse(&format!("{}:{tag}", repository.name()))?);
        }
        Ok(references)
    }
}
