//! `berth manifest annotate`.

use berth_engine::image::index::Annotate as Change;
use berth_oci::Reference;

use crate::context;
use crate::globals::Globals;
use crate::opts::annotation;
use crate::verbs::{Outcome, Verb};

/// Say what an image in an index runs on
#[derive(Debug, clap::Args)]
pub struct Annotate {
    /// Operating system
    #[arg(long)]
    os: Option<String>,
    /// Processor, such as arm64
    #[arg(long)]
    arch: Option<String>,
    /// Variant of the processor, such as v7
    #[arg(long)]
    variant: Option<String>,
    /// Version of the operating system
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
    /// What it needs of the operating system
    #[arg(long, value_name = "FEATURE", value_delimiter = ',', action = clap::ArgAction::Append)]
    os_features: Vec<String>,
    /// Say more about the image
    #[arg(long, value_name = "KEY=VALUE", value_parser = annotation, action = clap::ArgAction::Append)]
    annotation: Vec<(String, String)>,
    /// The index
    list: String,
    /// The image in it, by the name that it was added by, or by digest
    image: String,
}

impl Verb for Annotate {
    fn run(self, globals: &Globals) -> Outcome {
        let change = Change {
            os: self.os,
            architecture: self.arch,
            variant: self.variant,
            os_version: self.os_version,
            os_features: self.os_features,
            annotations: self.annotation,
        };
        let list = Reference::parse(&self.list)?;
        context::engine(globals)?.annotate_index(&list, &self.image, &change)?;
        Ok(0)
    }
}
