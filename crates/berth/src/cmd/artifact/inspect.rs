//! `berth artifact inspect`.

use berth_engine::artifact::{self, Artifact};
use berth_oci::Reference;
use serde_json::json;

use crate::cmd::{print, print_bytes};
use crate::globals::Globals;
use crate::pull::registries;
use crate::verbs::{Outcome, Verb};

/// Show what an artifact is and which files it has
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// Print its manifest, byte for byte
    #[arg(long)]
    raw: bool,
    /// The artifact
    artifact: String,
}

impl Verb for Inspect {
    fn run(self, _: &Globals) -> Outcome {
        let name = Reference::parse(&self.artifact)?;
        let found = artifact::inspect(registries()?, &name)?;
        if self.raw {
            print_bytes(&found.bytes)?;
            return Ok(0);
        }
        let text = serde_json::to_string_pretty(&shown(&name.familiar_name(), &found));
        print(&format!("{}\n", text.expect("it is JSON")))?;
        Ok(0)
    }
}

fn shown(name: &str, artifact: &Artifact) -> serde_json::Value {
    let files = artifact.files();
    let files = files.into_iter().map(|(title, layer)| {
        json!({
            "Name": title,
            "MediaType": layer.media_type,
            "Digest": layer.digest.to_string(),
            "Size": layer.size,
        })
    });
    json!({
        "Name": name,
        "Digest": artifact.digest.to_string(),
        "ArtifactType": artifact.artifact_type,
        "Subject": artifact.subject.as_ref().map(|subject| subject.digest.to_string()),
        "Annotations": artifact.manifest.annotations,
        "Files": files.collect::<Vec<_>>(),
    })
}
