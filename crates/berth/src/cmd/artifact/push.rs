//! `berth artifact push`.

use std::path::PathBuf;

use berth_engine::artifact::{self, PushOptions};
use berth_oci::Reference;

use crate::cmd::print;
use crate::globals::Globals;
use crate::image::is_untagged;
use crate::opts::annotation;
use crate::pull::registries;
use crate::ui::diagnostic::Failure;
use crate::ui::progress::{Progress, Style};
use crate::verbs::{Outcome, Verb};

/// Bring files to a registry
#[derive(Debug, clap::Args)]
pub struct Push {
    /// What sort of artifact it is, such as application/vnd.example.sbom
    #[arg(long, value_name = "TYPE")]
    artifact_type: Option<String>,
    /// Media type of the files
    #[arg(long, value_name = "TYPE")]
    file_type: Option<String>,
    /// Say something about it
    #[arg(long, value_name = "KEY=VALUE", value_parser = annotation, action = clap::ArgAction::Append)]
    annotation: Vec<(String, String)>,
    /// The image that it is about, in the same repository; without a tag of its own it is then found by `artifact ls`
    #[arg(long, value_name = "IMAGE")]
    subject: Option<String>,
    /// How progress is shown on standard error
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    progress: Style,
    /// Print the digest only
    #[arg(short, long)]
    quiet: bool,
    /// Its name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: String,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Verb for Push {
    fn run(self, _: &Globals) -> Outcome {
        let name = Reference::parse(&self.name)?;
        if name.digest().is_some() {
            return Err(Failure::new("a name with a digest cannot be pushed")
                .hint("name a tag, or the repository alone"));
        }
        let subject = self.subject.as_deref().map(Reference::parse).transpose()?;
        let options = PushOptions {
            // The tag that nobody wrote must not be taken from an image.
            untagged: subject.is_some() && is_untagged(&self.name),
            artifact_type: self.artifact_type,
            file_type: self.file_type,
            annotations: self.annotation.into_iter().collect(),
            subject,
        };
        let mut progress = Progress::stderr(self.progress.unless(self.quiet));
        let pushed = artifact::push(registries()?, &name, &self.files, &options, &mut |event| {
            progress.file(event);
        })?;
        progress.finish();
        print(&format!("{}\n", pushed.digest))?;
        Ok(0)
    }
}
