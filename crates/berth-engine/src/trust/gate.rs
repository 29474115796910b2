//! The gate of a pull. It is made before a registry is asked for anything: a name that is rejected is not even
//! looked for, and a key that cannot be read costs no download. Then it lets an image through, or not, by its
//! documents, before any layer is fetched.

use std::path::PathBuf;

use berth_oci::{Digest, Reference};
use berth_registry::{Client, FetchedImage};
use berth_trust::{Prefix, PublicKey, Rejection, Requirement, Subject, Verified};

use super::error::{Error, Reasons};
use super::file::Trust;
use super::keys::read_public;
use super::signatures::Stored;

/// What is asked of the images of one name.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Which policy asks, for messages.
    pub(super) origin: String,
    /// One of these has to have signed; `None`: nobody has to.
    pub(super) keys: Option<Keys>,
}

/// Keys and the files that they are from.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) paths: Vec<PathBuf>,
    pub(super) keys: Vec<PublicKey>,
}

impl Keys {
    /// # Errors
    /// Any of the files cannot be read, or is no key.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Keys, Error> {
        let keys: Result<_, Error> = paths.iter().map(|path| read_public(path)).collect();
        Ok(Keys {
            paths: paths.to_vec(),
            keys: keys?,
        })
    }
}

impl Trust {
    /// What the policies ask of `reference`.
    ///
    /// # Errors
    /// [`Error::Rejected`]; a key cannot be read.
    pub(crate) fn gate(&self, reference: &Reference) -> Result<Gate, Error> {
        let (prefix, requirement) = self.policies.of(reference);
        let origin = self.origin(prefix);
        match requirement {
            Requirement::Reject => Err(Error::Rejected { origin }),
            Requirement::Accept => Ok(Gate { origin, keys: None }),
            Requirement::Signed { keys } => Ok(Gate {
                origin,
                keys: Some(Keys::read(keys)?),
            }),
        }
    }

    /// The policy of `prefix`, or else the default, and its file, in words.
    fn origin(&self, prefix: Option<&Prefix>) -> String {
        let which = match prefix {
            Some(prefix) => format!("the policy of `{prefix}`"),
            None => "the default policy".to_owned(),
        };
        match &self.path {
            Some(path) => format!("{which} in `{}`", path.display()),
            None => which,
        }
    }
}

impl Gate {
    /// Lets the image through.
    ///
    /// # Errors
    /// [`Error::NotSigned`]; its signatures cannot be read.
    pub(crate) async fn admit(
        &self,
        client: &Client,
        reference: &Reference,
        image: &FetchedImage,
    ) -> Result<(), Error> {
        let documents = image.index.iter().chain([&image.manifest]);
        let digests: Vec<Digest> = documents.map(|d| d.digest.clone()).collect();
        self.verify(client, reference, &digests).await.map(drop)
    }

    /// The first good signature of any of `digests`; `None`: none is asked for.
    ///
    /// # Errors
    /// As [`Gate::admit`].
    pub(crate) async fn verify(
        &self,
        client: &Client,
        reference: &Reference,
        digests: &[Digest],
    ) -> Result<Option<Verified>, Error> {
        let Some(Keys { keys, .. }) = &self.keys else {
            return Ok(None);
        };
        let subject = Subject { reference, digests };
        let mut reasons = Vec::new();
        for digest in digests {
            let stored = Stored::find(client, reference, digest).await?;
            if stored.count() == 0 {
                reasons.push(format!("{digest} has no signature"));
            }
            for at in 0..stored.count() {
                match stored.candidate(at).await?.verify(keys, &subject) {
                    Ok(verified) => return Ok(Some(verified)),
                    Err(why) => reasons.push(format!(
                        "signature {} of {digest}: {}",
                        at + 1,
                        in_one_line(&why)
                    )),
                }
            }
        }
        Err(Error::NotSigned {
            origin: self.origin.clone(),
            source: Reasons(reasons),
        })
    }
}

/// A rejection and its causes.
pub(super) fn in_one_line(why: &Rejection) -> String {
    let mut text = why.to_string();
    for cause in berth_model::error::causes(why) {
        text.push_str(&format!(": {cause}"));
    }
    text
}
