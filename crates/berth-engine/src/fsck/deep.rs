//! `fsck --deep`: every snapshot compared with its layer, which is unpacked once more beside it (N14).
//!
//! A snapshot has no digest of its own, and reading a file of a damaged one tells nothing. The blob has one. So each
//! image is unpacked anew into a scratch directory, `ROOT/.tmp-PID-deep`, one image at a time; a killed check leaves it
//! to the next garbage collection.

use std::collections::BTreeSet;
use std::path::Path;

use berth_oci::Digest;
use berth_snapshot::{Snapshots, first_difference};
use berth_store::Image;

use super::content::Users;
use super::{Findings, Problem};
use crate::error::files;
use crate::image;
use crate::ready::ReadyError;
use crate::{Engine, Error};

impl Engine {
    pub(super) fn check_snapshots(&self, findings: &mut Findings) -> Result<(), Error> {
        if self.options.rootless {
            return Err(Error::Invalid {
                message: "snapshots cannot be compared without root".to_owned(),
                hint: Some("their files belong to subordinate ids; leave --deep out".to_owned()),
            });
        }
        let users = self.content_users()?;
        let name = format!(".tmp-{}-deep", std::process::id());
        let scratch = self.layout.root().join(&name);
        let root = berth_fs::open_dir(self.layout.root()).map_err(files("open the state"))?;
        let mut done = BTreeSet::new();
        let images = image::all(&self.store).map_err(|error| unusable("*", error))?;
        for found in images {
            let checked = self.check_unpacked(findings, &found.image, &scratch, &users, &mut done);
            // Whatever came of it.
            let cleared = berth_fs::remove_tree_at(std::os::fd::AsFd::as_fd(&root), &name);
            checked?;
            cleared.map_err(files("remove the scratch directory"))?;
        }
        Ok(())
    }

    fn check_unpacked(
        &self,
        findings: &mut Findings,
        image: &Image,
        scratch: &Path,
        users: &Users,
        done: &mut BTreeSet<Digest>,
    ) -> Result<(), Error> {
        let of_store = |source| Error::Store {
            action: "hold the image",
            source,
        };
        let lease = self.store.lease().map_err(of_store)?;
        if !lease.add(&image.descriptor.digest).map_err(of_store)? {
            return Ok(());
        }
        let chains = image.chain_ids();
        let is_due = |chain: &Digest| self.snapshots.has(chain) && !done.contains(chain);
        if !chains.iter().any(is_due) {
            return Ok(());
        }
        let driver = self.options.driver.unwrap_or_default();
        berth_fs::ensure_dir(scratch, 0o700).map_err(files("make the scratch directory"))?;
        let trash = scratch.join("trash");
        let copies = Snapshots::open(&scratch.join("snapshots"), &trash, driver);
        let copies = copies.map_err(Error::Snapshot)?;
        if let Err(error) = self.unpack_image_into(&copies, image) {
            findings.problems.push(Problem {
                what: format!(
                    "the snapshots of the image {} cannot be compared: {error}",
                    image.id().short()
                ),
                repaired: false,
            });
            return Ok(());
        }
        for count in 1..=chains.len() {
            let chain = &chains[count - 1];
            if !self.snapshots.has(chain) || !done.insert(chain.clone()) {
                continue;
            }
            let tree = |of: &Snapshots| of.lowers(&chains[..count]).map_err(Error::Snapshot);
            let (ours, copy) = (tree(&self.snapshots)?, tree(&copies)?);
            let difference = first_difference(&ours[0], &copy[0]).map_err(Error::Snapshot)?;
            if let Some(path) = difference {
                self.report(findings, image, chain, &path, users)?;
            }
        }
        Ok(())
    }

    fn report(
        &self,
        findings: &mut Findings,
        image: &Image,
        chain: &Digest,
        path: &Path,
        users: &Users,
    ) -> Result<(), Error> {
        let what = format!(
            "the snapshot {chain} is damaged, first at `/{}`; it belongs to {}",
            path.display(),
            users.of_snapshot(chain)
        );
        if users.is_read(chain) {
            findings.problems.push(Problem {
                what: format!("{what}: stop what runs on it, then repair"),
                repaired: false,
            });
            return Ok(());
        }
        findings.found(what, || {
            let thrown = self.snapshots.throw_away(chain);
            thrown.map_err(Error::Snapshot)?;
            let unpacked = self.unpack_image(image).map(drop);
            unpacked.map_err(|error| unusable(image.id().short(), error))
        })
    }
}

fn unusable(image: &str, error: image::Error) -> Error {
    Error::Image {
        image: image.to_owned(),
        source: Box::new(ReadyError::Find(error)),
    }
}
