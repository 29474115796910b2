//! G9: pushes beside collectors, in this process and in others that are killed again and again. No push fails, and
//! nothing is lost that a manifest names. What is done follows from a seed (BERTH_SEED), when it is done does not.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use berth_oci::{Descriptor, Digest, Manifest, media};
use berth_registry_server::storage::{CollectOptions, Collected, Repository, Rules};
use berth_registry_server::{Code, Selector, Storage};

use crate::work::{self, repository, tag};

const GRACE: Duration = Duration::from_millis(150);
const TICK: Duration = Duration::from_millis(20);
const REPOSITORIES: [&str; 3] = ["one", "two", "team/three"];
const BLOBS: u64 = 150;

fn open(root: &Path) -> Storage {
    Storage::open_with(root, Duration::ZERO).unwrap()
}

/// All at once, with no more grace than a push needs.
pub fn collect(root: &Path) -> Collected {
    let options = CollectOptions {
        grace: GRACE,
        upload_ttl: 10 * GRACE,
        dry_run: false,
    };
    open(root)
        .collect(&options, &|_| work::untagged_goes())
        .unwrap()
}

/// A small generator (splitmix64): the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) % limit
    }
}

/// A client with a tag of its own.
struct Client {
    storage: Storage,
    name: String,
    random: Random,
    /// Pushes that took longer than the grace, and so may fail.
    slow: usize,
}

impl Client {
    fn repository(&mut self) -> Repository {
        let which = self.random.below(REPOSITORIES.len() as u64) as usize;
        repository(&self.storage, REPOSITORIES[which])
    }

    fn round(&mut self) {
        let repository = self.repository();
        let tag = tag(&self.name);
        if self.random.below(3) == 0 {
            repository
                .remove_tag(&tag, &self.name, &Rules::default())
                .unwrap();
        }
        if self.random.below(4) == 0 {
            let selector = Selector::Tag(tag.clone());
            if let Some(found) = repository.manifest(&selector).unwrap() {
                work::assert_whole(&repository, &found.bytes);
            }
        }
        let began = Instant::now();
        let contents: Vec<Vec<u8>> = (0..4)
            .map(|_| format!("blob {}", self.random.below(BLOBS)).into_bytes())
            .collect();
        for content in &contents {
            self.bring(&repository, content);
        }
        // Just as what was brought grows old: it is there and stays, or the push is refused.
        if self.random.below(6) == 0 {
            std::thread::sleep(GRACE + Duration::from_millis(self.random.below(250)));
        }
        let describe = |content: &Vec<u8>| Descriptor::of(media::LAYER_TAR, content);
        let manifest = Manifest::new(
            describe(&contents[0]),
            contents[1..].iter().map(describe).collect(),
        );
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let selector = Selector::Tag(tag);
        let put = repository.put_manifest(
            &selector,
            media::MANIFEST,
            &bytes,
            &self.name,
            &Rules::default(),
        );
        match put {
            Ok(stored) => {
                let found = repository.manifest(&selector).unwrap().unwrap();
                assert_eq!(found.digest, stored.digest, "nobody else moves this tag");
                work::assert_whole(&repository, &bytes);
            }
            Err(failure) => {
                assert_eq!(failure.code, Code::ManifestBlobUnknown, "{failure:?}");
                // The kernel's times of files lag a tick behind.
                assert!(
                    began.elapsed() + TICK > GRACE,
                    "a push in time has failed: {failure}"
                );
                self.slow += 1;
            }
        }
    }

    /// As clients do: only what is not there, and from another repository if that has it.
    fn bring(&mut self, repository: &Repository, content: &[u8]) {
        let digest = Digest::of(content);
        if repository.blob(&digest).unwrap().is_some() {
            return;
        }
        let from = self.repository();
        if self.random.below(2) == 0 && repository.mount_blob(&from, &digest).unwrap() {
            return;
        }
        work::push_blob(repository, content).unwrap();
    }
}

/// A collector that dies at some step.
fn doomed(root: &Path, random: &mut Random) -> Child {
    let steps = [
        "registry.unlink",
        "registry.rmdir",
        "registry.history",
        "registry.create",
    ];
    let step = steps[random.below(steps.len() as u64) as usize];
    Command::new(std::env::current_exe().unwrap())
        .arg("collect")
        .arg(root)
        .env("BERTH_FP", format!("{step}:{}", 1 + random.below(30)))
        .spawn()
        .unwrap()
}

/// Images that stay, so that a collector has something to read between its first look and its last.
fn prepare(storage: &Storage) {
    for name in REPOSITORIES {
        let repository = repository(storage, name);
        for n in 0..150 {
            work::push(&repository, &format!("stays-{n}"), &format!("image {n}")).unwrap();
        }
    }
}

pub fn g9_no_push_fails_and_nothing_is_lost() {
    let full = std::env::var_os("BERTH_TEST_FULL").is_some();
    let seed = std::env::var("BERTH_SEED").map_or(9, |text| text.parse().unwrap());
    let rounds = if full { 1_500 } else { 100 };
    // In memory: more rounds a second.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = dir.path();
    prepare(&open(root));
    let done = AtomicBool::new(false);
    let (collected, killed, slow) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                collected.fetch_add(collect(root).blobs, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let mut random = Random(seed);
            while !done.load(Ordering::Relaxed) {
                let mut collector = doomed(root, &mut random);
                std::thread::sleep(GRACE);
                // Most are dead by now; the others die here.
                let _ = collector.kill();
                collector.wait().unwrap();
                killed.fetch_add(1, Ordering::Relaxed);
            }
        });
        let clients: Vec<_> = (0..4)
            .map(|n| {
                let slow = &slow;
                scope.spawn(move || {
                    let mut client = Client {
                        storage: open(root),
                        name: format!("client-{n}"),
                        random: Random(seed + n),
                        slow: 0,
                    };
                    for _ in 0..rounds {
                        client.round();
                        if client.random.below(40) == 0 {
                            std::thread::sleep(2 * GRACE);
                        }
                    }
                    slow.fetch_add(client.slow, Ordering::Relaxed);
                })
            })
            .collect();
        let ends: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        done.store(true, Ordering::Relaxed);
        for end in ends {
            end.unwrap();
        }
    });
    let storage = open(root);
    work::assert_sound(&storage, "at the end");
    let (collected, killed) = (collected.into_inner(), killed.into_inner());
    println!(
        "{collected} blobs collected, {killed} collectors killed, {} slow pushes",
        slow.into_inner()
    );
    assert!(collected > 0 && killed > 0, "nothing has raced");
}
