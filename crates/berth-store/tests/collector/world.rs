//! What workers do: an image is pulled, run, named, removed; containers and snapshots are files beside the store.
//!
//! ```text
//! ROOT/containers/NAME     `blob DIGEST` and `chain DIGEST` lines: what it stands on
//! ROOT/snapshots/HEX/      an unpacked layer
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use berth_fs::{Durability, Trash};
use berth_oci::{Descriptor, Digest, ImageConfig, Manifest, Platform, Reference, media};
use berth_store::{Error, Expected, GcRoots, Image, Lease, Store, Surroundings};

use super::is_gone;

/// Different images; they share layers.
const IMAGES: usize = 6;

/// A sequence that follows from its seed (xorshift).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// What is beside the store.
pub struct World {
    root: PathBuf,
    trash: Trash,
}

impl World {
    pub fn prepare(root: &Path) {
        Store::open(root).unwrap();
        for name in ["containers", "snapshots", "trash"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
    }

    pub fn of(store: &Store) -> World {
        World {
            root: store.root().to_owned(),
            trash: Trash::open(&store.root().join("trash")).unwrap(),
        }
    }
}

/// Two may empty it at once: what one of them finds gone is gone.
pub fn empty_trash(root: &Path) {
    Trash::open(&root.join("trash")).unwrap().empty().unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    entries.map(|entry| name(entry).unwrap()).collect()
}

impl Surroundings for World {
    type Error = Error;

    fn roots(&mut self) -> Result<GcRoots, Error> {
        let mut roots = GcRoots::default();
        let dir = self.root.join("containers");
        for name in names(&dir) {
            let text = match fs::read_to_string(dir.join(&name)) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                text => text.unwrap(),
            };
            for line in text.lines().filter(|_| !name.starts_with('.')) {
                let (kind, digest) = line.split_once(' ').unwrap();
                let digest = Digest::parse(digest).unwrap();
                match kind {
                    "blob" => roots.blobs.push(digest),
                    _ => roots.chains.push(digest),
                }
            }
        }
        Ok(roots)
    }

    fn snapshots(&mut self) -> Result<Vec<Digest>, Error> {
        let names = names(&self.root.join("snapshots")).into_iter();
        let chain = |hex| Digest::parse(&format!("sha256:{hex}")).unwrap();
        Ok(names.map(chain).collect())
    }

    fn snapshot_bytes(&mut self, _chain: &Digest) -> Result<u64, Error> {
        Ok(10)
    }

    fn throw_snapshot(&mut self, chain: &Digest) -> Result<(), Error> {
        self.trash
            .throw(&snapshot(&self.root, chain), Durability::Volatile)?;
        Ok(())
    }
}

fn snapshot(root: &Path, chain: &Digest) -> PathBuf {
    root.join("snapshots").join(chain.hex())
}

/// A worker.
pub struct Work<'a> {
    store: &'a Store,
    name: String,
    random: Random,
    /// What it runs, and what each stands on.
    containers: Vec<(String, Image)>,
    count: usize,
    /// Its own name for an image, which no other takes away.
    own: Option<Image>,
}

impl<'a> Work<'a> {
    pub fn new(store: &'a Store, name: &str, seed: u64) -> Work<'a> {
        Work {
            store,
            name: name.to_owned(),
            random: Random::new(seed),
            containers: Vec::new(),
            count: 0,
            own: None,
        }
    }

    /// One step, and all that this worker relies on looked at.
    pub fn round(&mut self) {
        match self.random.below(8) {
            0 | 1 => self.pull(),
            2 | 3 => self.run(),
            4 => self.tag(),
            5 | 6 => self.untag(),
            _ => self.remove_container(),
        }
        for (name, image) in &self.containers {
            self.whole(image, &format!("the container {name}"));
        }
        if let Some(image) = &self.own {
            self.whole(image, &format!("{}'s own image", self.name));
        }
    }

    pub fn end(&mut self) {
        for (name, _) in self.containers.drain(..) {
            fs::remove_file(self.store.root().join("containers").join(name)).unwrap();
        }
    }

    fn shared(&mut self) -> Reference {
        Reference::parse(&format!("shared:{}", self.random.below(IMAGES))).unwrap()
    }

    fn own_name(&self) -> Reference {
        Reference::parse(&format!("own:{}", self.name)).unwrap()
    }

    /// Everything of `image` is here.
    fn whole(&self, image: &Image, whose: &str) {
        let manifest = &image.manifest;
        let blobs = manifest
            .layers
            .iter()
            .chain([&manifest.config, &image.descriptor]);
        for blob in blobs {
            assert!(self.store.has(&blob.digest), "{whose} lacks {blob:?}");
        }
        for chain in image.chain_ids() {
            assert!(
                snapshot(self.store.root(), &chain).is_dir(),
                "{whose} lacks the snapshot {chain}"
            );
        }
    }

    /// As an engine's: what is here is taken, the rest is brought; layers are unpacked; the manifest; the name.
    fn pull(&mut self) {
        let number = self.random.below(IMAGES);
        let lease = self.store.lease().unwrap();
        let layers: Vec<Vec<u8>> = (0..3 + number % 3).map(|n| layer(number, n)).collect();
        let mut config = ImageConfig::default();
        (config.os, config.architecture) = ("linux".into(), Platform::host().architecture);
        config.rootfs.diff_ids = layers.iter().map(|layer| Digest::of(layer)).collect();
        let bytes = serde_json::to_vec(&config).unwrap();
        let described = lease.put(media::CONFIG, &bytes).unwrap();
        let layers: Vec<Descriptor> = layers.iter().map(|layer| bring(&lease, layer)).collect();
        self.unpack(&config);
        let manifest = serde_json::to_vec(&Manifest::new(described, layers)).unwrap();
        let descriptor = lease.put(media::MANIFEST, &manifest).unwrap();
        let image = self.store.image(&descriptor, &Platform::host()).unwrap();
        self.whole(&image, "a pull under its lease");
        let name = Reference::parse(&format!("shared:{number}")).unwrap();
        self.store.tag(&name, &descriptor).unwrap();
        if self.random.below(2) == 0 {
            self.store.tag(&self.own_name(), &descriptor).unwrap();
            self.own = Some(image);
        }
    }

    fn unpack(&self, config: &ImageConfig) {
        let mut parent: Option<PathBuf> = None;
        for chain in berth_oci::chain::chain_ids(&config.rootfs.diff_ids) {
            if let Some(parent) = parent {
                assert!(parent.is_dir(), "the layer below went while it was needed");
            }
            let path = snapshot(self.store.root(), &chain);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => made.unwrap(),
            }
            parent = Some(path);
        }
    }

    /// The image of a shared name, kept by the lease; `None`: it is not there, or just going.
    fn held(&mut self, lease: &Lease) -> Option<Image> {
        let descriptor = self.store.resolve(&self.shared()).unwrap()?;
        let image = match self.store.image(&descriptor, &Platform::host()) {
            Err(error) if is_gone(&error) => return None,
            image => image.unwrap(),
        };
        if !lease.add(&descriptor.digest).unwrap() {
            return None;
        }
        // By the manifest alone.
        let blobs = image.manifest.layers.iter().chain([&image.manifest.config]);
        for blob in blobs {
            assert!(
                self.store.has(&blob.digest),
                "a leased manifest lacks {blob:?}"
            );
        }
        Some(image)
    }

    fn run(&mut self) {
        let lease = self.store.lease().unwrap();
        let Some(image) = self.held(&lease) else {
            return;
        };
        self.unpack(&image.config);
        self.count += 1;
        let name = format!("{}-{}", self.name, self.count);
        let mut text = format!("blob {}\n", image.descriptor.digest);
        for chain in image.chain_ids() {
            text.push_str(&format!("chain {chain}\n"));
        }
        let path = self.store.root().join("containers").join(&name);
        let staged = path.with_file_name(format!(".{name}"));
        fs::write(&staged, text).unwrap();
        fs::rename(staged, path).unwrap();
        drop(lease);
        self.containers.push((name, image));
        if self.containers.len() > 3 {
            self.remove_container();
        }
    }

    fn remove_container(&mut self) {
        if !self.containers.is_empty() {
            let (name, _) = self.containers.remove(0);
            fs::remove_file(self.store.root().join("containers").join(name)).unwrap();
        }
    }

    fn tag(&mut self) {
        let lease = self.store.lease().unwrap();
        let Some(image) = self.held(&lease) else {
            return;
        };
        self.unpack(&image.config);
        self.store.tag(&self.own_name(), &image.descriptor).unwrap();
        self.own = Some(image);
    }

    fn untag(&mut self) {
        if self.random.below(3) == 0 {
            self.store.untag(&self.own_name()).unwrap();
            self.own = None;
        } else {
            // Somebody else's work may be under way with it.
            let name = self.shared();
            self.store.untag(&name).unwrap();
        }
        // Names that moved left images without one.
        let unnamed = self
            .store
            .refs()
            .unwrap()
            .into_iter()
            .filter(|e| e.reference.is_none());
        for entry in unnamed.take(2) {
            let digest = entry.descriptor.digest;
            let named =
                |e: &berth_store::Entry| e.reference.is_some() && e.descriptor.digest == digest;
            if !self.store.refs().unwrap().iter().any(named)
                && self
                    .own
                    .as_ref()
                    .is_none_or(|own| own.descriptor.digest != digest)
            {
                // Not `forget`: it would take names that came meanwhile.
                self.store.forget_unnamed(&digest).unwrap();
            }
        }
    }
}

/// Lower layers are shared by all images, upper ones by some.
fn layer(image: usize, n: usize) -> Vec<u8> {
    let of = match n {
        0 => 0,
        1 => image % 2,
        2 => image % 3,
        _ => image,
    };
    format!("layer {n} of {of}").into_bytes()
}

fn bring(lease: &Lease, content: &[u8]) -> Descriptor {
    let descriptor = Descriptor::of(media::LAYER_TAR, content);
    let expected = Expected {
        digest: descriptor.digest.clone(),
        size: descriptor.size,
    };
    if let Some(mut ingest) = lease.ingest_alone(expected).unwrap() {
        let offset = ingest.offset() as usize;
        ingest.append(&content[offset..]).unwrap();
        ingest.commit().unwrap();
    }
    assert!(
        lease.store().has(&descriptor.digest),
        "what was just brought is not there"
    );
    descriptor
}
