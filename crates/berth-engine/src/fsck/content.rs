//! Images: content compared with its name; whom damage hits; what nothing needs.

use std::collections::BTreeMap;

use berth_oci::Digest;
use berth_store::Reach;

use super::{Findings, Problem};
use crate::{Engine, Error};

/// Who stands on a blob or a snapshot.
pub(super) struct Users(Vec<User>);

struct User {
    what: String,
    /// An image's name, to pull.
    name: Option<String>,
    /// A container that runs.
    pub(super) runs: bool,
    reach: Reach,
}

impl Users {
    /// `the image a:1 and the container 0123456789ab`; empty: nobody.
    pub(super) fn of_blob(&self, digest: &Digest) -> String {
        told(
            self.0
                .iter()
                .filter(|user| user.reach.blobs.contains(digest)),
        )
    }

    /// Likewise, for a snapshot.
    pub(super) fn of_snapshot(&self, chain: &Digest) -> String {
        told(
            self.0
                .iter()
                .filter(|user| user.reach.chains.contains(chain)),
        )
    }

    /// A running container reads the snapshot now.
    pub(super) fn is_read(&self, chain: &Digest) -> bool {
        let mut running = self.0.iter().filter(|user| user.runs);
        running.any(|user| user.reach.chains.contains(chain))
    }

    /// How an image that needs the blob comes back.
    fn way_back(&self, digest: &Digest) -> String {
        let mut users = self
            .0
            .iter()
            .filter(|user| user.reach.blobs.contains(digest));
        match users.find_map(|user| user.name.as_ref()) {
            Some(name) => format!("`berth pull {name}` or `berth load` brings it again"),
            None => "pulling or loading the image brings it again".to_owned(),
        }
    }
}

fn told<'a>(users: impl Iterator<Item = &'a User>) -> String {
    let words: Vec<&str> = users.map(|user| user.what.as_str()).collect();
    words.join(" and ")
}

fn of_store(source: berth_store::Error) -> Error {
    Error::Store {
        action: "check the image store",
        source,
    }
}

impl Engine {
    /// Content first read and compared with its name, then what nothing needs.
    pub(super) fn check_images(&self, findings: &mut Findings) -> Result<(), Error> {
        let report = self.store.verify().map_err(of_store)?;
        let users = self.content_users()?;
        for digest in report.damaged {
            let mut what = format!("the content {digest} is damaged");
            let hit = users.of_blob(&digest);
            if !hit.is_empty() {
                what = format!("{what}; it belongs to {hit}: {}", users.way_back(&digest));
            }
            findings.found(what, || self.store.drop_damaged(&digest).map_err(of_store))?;
        }
        for digest in report.missing {
            let (hit, way) = (users.of_blob(&digest), users.way_back(&digest));
            findings.problems.push(Problem {
                what: format!("the content {digest} is missing; it belongs to {hit}: {way}"),
                repaired: false,
            });
        }
        for path in report.strange {
            let path = self.layout.root().join(path);
            findings.found(format!("`{}` is no content", path.display()), || {
                self.throw(&path)
            })?;
        }
        let unfinished = self.snapshots.sweep(!findings.repair);
        for name in unfinished.map_err(Error::Snapshot)? {
            findings.found(format!("the snapshot {name} was never finished"), || Ok(()))?;
        }
        if findings.repair {
            self.snapshots.settle().map_err(Error::Snapshot)?;
        }
        self.check_garbage(findings)
    }

    fn check_garbage(&self, findings: &mut Findings) -> Result<(), Error> {
        let garbage = self.collect_garbage(!findings.repair)?;
        for chain in garbage.snapshots {
            findings.found(format!("nothing needs the snapshot {chain}"), || Ok(()))?;
        }
        for digest in garbage.blobs {
            findings.found(format!("nothing needs the content {digest}"), || Ok(()))?;
        }
        if garbage.leases > 0 {
            let what = format!("{} leases of processes that are gone", garbage.leases);
            findings.found(what, || Ok(()))?;
        }
        Ok(())
    }

    /// Images by name and containers, each with what it stands on.
    pub(super) fn content_users(&self) -> Result<Users, Error> {
        let mut users = Vec::new();
        let mut images: BTreeMap<Digest, Reach> = BTreeMap::new();
        for entry in self.store.refs().map_err(of_store)? {
            let digest = &entry.descriptor.digest;
            if !images.contains_key(digest) {
                let reach = self.store.reach(digest).map_err(of_store)?;
                images.insert(digest.clone(), reach);
            }
            let name = entry.reference.as_ref().map(|name| name.familiar());
            users.push(User {
                what: match &name {
                    Some(name) => format!("the image {name}"),
                    None => format!("the image {} without a name", digest.short()),
                },
                name,
                runs: false,
                reach: images[digest].clone(),
            });
        }
        for id in self.ids()? {
            // One without a readable record is told of already.
            let one = match self.inspect(&id) {
                Err(Error::NoContainer { .. } | Error::Damaged { .. }) => continue,
                one => one?,
            };
            let roots = self.roots_of(&one.config.id)?;
            let reach = self.reach_of_roots(&roots).map_err(of_store)?;
            users.push(User {
                what: format!("the container {} ({})", one.config.id.short(), one.name),
                name: None,
                runs: one.status.is_alive(),
                reach,
            });
        }
        Ok(Users(users))
    }
}
