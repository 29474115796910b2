//! What is here already, or in the registry, held against policies and keys; and who signed it.

use std::path::PathBuf;

use berth_oci::image::{Document, parse_document};
use berth_oci::{Digest, Platform, Reference};
use berth_registry::{Client, Config, runtime};
use berth_trust::{MAX_SIGNATURES, Payload, Requirement, Subject};

use super::error::Error;
use super::file::Trust;
use super::gate::{Gate, Keys, in_one_line};
use super::signatures::Stored;
use crate::Engine;

/// An image that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The name.
    pub reference: Reference,
    /// Of its index, or its manifest.
    pub digest: Digest,
    /// The key that signed it; `None`: the policy asks for none.
    pub key: Option<PathBuf>,
    /// Which policy says so, in words.
    pub origin: String,
}

/// A signature of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The manifest or index beside which it is stored.
    pub of: Digest,
    /// The known key that made it.
    pub key: Option<PathBuf>,
    /// What it says, whether or not a known key made it.
    pub payload: Option<Payload>,
    /// Why it does not count for this image.
    pub problem: Option<String>,
}

impl Engine {
    /// Holds the image that `text` names, as it is here, or else in its registry, against `keys`, or else the
    /// policies.
    ///
    /// # Errors
    /// It may not be used, or that cannot be known.
    pub fn verify_image(
        &self,
        config: Config,
        trust: &Trust,
        text: &str,
        keys: &[PathBuf],
    ) -> Result<Approval, Error> {
        let reference = Reference::parse(text).map_err(|source| Error::Name { source })?;
        let gate = match keys {
            [] => trust.gate(&reference)?,
            keys => Gate {
                origin: "`--key`".to_owned(),
                keys: Some(Keys::read(keys)?),
            },
        };
        let (runtime, client) = (runtime()?, Client::new(config));
        let digests = runtime.block_on(self.digests(&client, &reference))?;
        let verified = runtime.block_on(gate.verify(&client, &reference, &digests))?;
        let paths = gate.keys.map(|keys| keys.paths).unwrap_or_default();
        let key = verified.map(|verified| paths[verified.key].clone());
        let [digest, ..] = &digests[..] else {
            unreachable!("an image has a manifest")
        };
        Ok(Approval {
            digest: digest.clone(),
            reference,
            key,
            origin: gate.origin,
        })
    }

    /// All signatures of the image that `text` names, held against `keys` and those of all policies.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn image_signatures(
        &self,
        config: Config,
        trust: &Trust,
        text: &str,
        keys: &[PathBuf],
    ) -> Result<Vec<Signed>, Error> {
        let reference = Reference::parse(text).map_err(|source| Error::Name { source })?;
        let mut known = Keys::read(keys)?;
        for path in trust.keys() {
            // One that cannot be read makes a pull fail; here it is one that is not known.
            if let Ok(key) = super::read_public(&path) {
                known.paths.push(path);
                known.keys.push(key);
            }
        }
        let (runtime, client) = (runtime()?, Client::new(config));
        runtime.block_on(async {
            let digests = self.digests(&client, &reference).await?;
            let subject = Subject {
                reference: &reference,
                digests: &digests,
            };
            let mut found = Vec::new();
            for digest in &digests {
                let stored = Stored::find(&client, &reference, digest).await?;
                for at in 0..stored.count().min(MAX_SIGNATURES) {
                    let candidate = stored.candidate(at).await?;
                    let signer = candidate.signer(&known.keys).ok();
                    let verified = candidate.verify(&known.keys, &subject);
                    found.push(Signed {
                        of: digest.clone(),
                        key: signer.map(|at| known.paths[at].clone()),
                        payload: Payload::parse(&candidate.payload).ok(),
                        problem: verified.err().map(|why| in_one_line(&why)),
                    });
                }
            }
            Ok(found)
        })
    }

    /// What a signature of the image may be for: its index, if it has one, then its manifest for this host.
    async fn digests(&self, client: &Client, reference: &Reference) -> Result<Vec<Digest>, Error> {
        let store = |source| Error::Store { source };
        let mut digests = Vec::new();
        if let Some(here) = self.store().resolve(reference).map_err(store)? {
            let image = self.store().image_here(&here).map_err(store)?;
            digests.extend([here.digest, image.descriptor.digest]);
        } else {
            let top = client.fetch_manifest(reference).await?;
            let document = parse_document(&top.bytes, Some(&top.media_type));
            digests.push(top.digest);
            if let Ok(Document::Index(index)) = document
                && let Ok(chosen) = index.select(&Platform::host())
            {
                digests.push(chosen.digest.clone());
            }
        }
        digests.dedup();
        Ok(digests)
    }
}

impl Trust {
    /// The files of all keys that a policy names.
    fn keys(&self) -> Vec<PathBuf> {
        let requirements = self.policies.policies().iter().map(|p| &p.require);
        let all = requirements.chain([self.policies.default_requirement()]);
        let mut paths: Vec<PathBuf> = all.flat_map(Requirement::keys).cloned().collect();
        paths.sort();
        paths.dedup();
        paths
    }
}
