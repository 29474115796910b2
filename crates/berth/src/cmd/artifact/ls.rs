//! `berth artifact ls`.

use berth_engine::artifact;
use berth_oci::image::annotation;
use berth_oci::{Descriptor, Reference};

use crate::cmd::print;
use crate::globals::Globals;
use crate::pull::registries;
use crate::ui::human;
use crate::ui::rows::{Listing, cell};
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};

const LISTING: Listing<'_> = Listing {
    headers: &[
        ("Digest", "DIGEST"),
        ("ArtifactType", "ARTIFACT TYPE"),
        ("Size", "MANIFEST SIZE"),
        ("CreatedAt", "CREATED AT"),
    ],
    table: "{{.Digest}}\t{{.ArtifactType}}\t{{.CreatedAt}}",
    quiet: "{{.Digest}}",
};

/// List the artifacts that are about an image
#[derive(Debug, clap::Args)]
pub struct Ls {
    /// Only those of this type
    #[arg(long, value_name = "TYPE")]
    artifact_type: Option<String>,
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Only digests
    #[arg(short, long)]
    quiet: bool,
    /// The image, in its registry
    image: String,
}

impl Verb for Ls {
    fn run(self, _: &Globals) -> Outcome {
        let image = Reference::parse(&self.image)?;
        let found = artifact::list(registries()?, &image, self.artifact_type.as_deref())?;
        let rows: Vec<Value> = found.iter().map(row).collect();
        print(&LISTING.print(self.format.as_deref(), self.quiet, &rows)?)?;
        Ok(0)
    }
}

fn row(entry: &Descriptor) -> Value {
    let created = entry.annotations.get(annotation::CREATED);
    Value::fields([
        ("Digest", cell(&entry.digest.to_string())),
        (
            "ArtifactType",
            cell(entry.artifact_type.as_deref().unwrap_or_default()),
        ),
        ("Size", cell(&human::size(entry.size))),
        (
            "CreatedAt",
            cell(created.map(String::as_str).unwrap_or_default()),
        ),
    ])
}
