//! `berth trust sign`.

use std::path::PathBuf;

use berth_oci::Reference;

use crate::cmd::print;
use crate::context;
use crate::globals::Globals;
use crate::pull::registries;
use crate::verbs::{Outcome, Verb};

/// Sign an image in its registry
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The signature is stored beside the image, as cosign and skopeo do it; signatures of others stay. It holds for the \
name and tag that are given, and for all tags if none is: IMAGE@DIGEST. If there is an image of this \
name here, it has to be the one in the registry.")]
pub struct Sign {
    /// Private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// File with the passphrase of the key; else it is asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Each image of an index too, not only the index: skopeo and podman look for these
    #[arg(long)]
    recursive: bool,
    /// The image
    image: String,
}

impl Verb for Sign {
    fn run(self, globals: &Globals) -> Outcome {
        let reference = Reference::parse(&self.image)?;
        let engine = context::engine(globals)?;
        let key = super::private_key(&self.key, self.passphrase_file.as_deref())?;
        let config = registries()?;
        for digest in engine.sign_image(config, &self.image, &key, self.recursive)? {
            print(&format!("{}@{digest}\n", reference.name()))?;
        }
        Ok(0)
    }
}
