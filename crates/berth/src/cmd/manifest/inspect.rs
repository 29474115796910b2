//! `berth manifest inspect`.

use berth_engine::image::index::Inspected;
use berth_oci::{Reference, media};
use serde_json::{Value, json};

use crate::cmd::{print, print_bytes};
use crate::context;
use crate::globals::Globals;
use crate::pull::registries;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Show an index that was made here, or a manifest or index in a registry
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// Show the images of an index too
    #[arg(short, long)]
    verbose: bool,
    /// Print it byte for byte
    #[arg(long, conflicts_with = "verbose")]
    raw: bool,
    /// Its name
    #[arg(value_name = "REF")]
    name: String,
}

impl Verb for Inspect {
    fn run(self, globals: &Globals) -> Outcome {
        let name = Reference::parse(&self.name)?;
        let engine = context::engine(globals)?;
        if !self.verbose {
            let found = engine.inspect_document(registries()?, &name)?;
            if self.raw {
                print_bytes(&found.bytes)?;
            } else {
                show(&document(&found.bytes)?)?;
            }
            return Ok(0);
        }
        let images = engine.inspect_images(registries()?, &name)?;
        let shown: Result<Vec<Value>, _> = images.iter().map(|i| with_ref(&name, i)).collect();
        let mut shown = shown?;
        // As docker shows a single manifest.
        match (shown.pop(), shown.is_empty()) {
            (Some(only), true) => show(&only)?,
            (last, _) => {
                shown.extend(last);
                show(&Value::Array(shown))?;
            }
        }
        Ok(0)
    }
}

/// With docker's keys.
fn with_ref(name: &Reference, image: &Inspected) -> Result<Value, Failure> {
    let digest = image.descriptor.digest.clone();
    let key = match image.descriptor.media_type.as_str() {
        media::DOCKER_MANIFEST => "SchemaV2Manifest",
        _ => "OCIManifest",
    };
    Ok(json!({
        "Ref": name.with_digest(digest).to_string(),
        "Descriptor": image.descriptor,
        key: document(&image.bytes)?,
    }))
}

fn document(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::of(&error))
}

fn show(value: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    print(&format!("{}\n", text.expect("it is JSON")))
}
