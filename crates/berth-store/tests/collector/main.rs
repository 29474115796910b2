//! N27: pulls, runs, naming and removal beside collectors that are killed again and again; nothing that is needed
//! is lost. Workers are threads and processes; what they do follows from a seed (BERTH_SEED), when they do it does not.
//!
//! A round is what one worker does to one image. Short by default; 10,000 rounds with BERTH_TEST_FULL.

#![allow(
    clippy::unwrap_used,
    reason = "a test program: a panic is its way to fail"
)]

mod latency;
mod world;

use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};

use berth_store::{Error, Store};
use testkit::harness;

use world::{Random, Work, World};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["work", root, name, seed, rounds] => {
            work(
                Path::new(root),
                name,
                seed.parse().unwrap(),
                rounds.parse().unwrap(),
            );
            return ExitCode::SUCCESS;
        }
        ["collect", root] => loop {
            collect(Path::new(root));
        },
        _ => {}
    }
    harness::run(
        testkit::tests![
            n27_nothing_needed_is_lost,
            a_lease_waits_for_a_batch_at_most
        ],
        &[],
    )
}

fn work(root: &Path, name: &str, seed: u64, rounds: u64) {
    let store = Store::open(root).unwrap();
    let mut work = Work::new(&store, name, seed);
    for _ in 0..rounds {
        work.round();
    }
    work.end();
}

fn collect(root: &Path) {
    let store = Store::open(root).unwrap();
    store.gc::<World>(&mut World::of(&store)).unwrap();
    world::empty_trash(root);
}

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(args).env_remove("BERTH_FP");
    command
}

/// A collector that dies at some step.
fn doomed(root: &str, random: &mut Random) -> Child {
    let steps = [
        "gc.throw",
        "trash.rename",
        "trash.thrown",
        "gc.delete",
        "trash.delete",
    ];
    let step = steps[random.below(steps.len())];
    let step = format!("{step}:{}", 1 + random.below(4));
    program(&["collect", root])
        .env("BERTH_FP", step)
        .spawn()
        .unwrap()
}

fn n27_nothing_needed_is_lost() {
    let full = std::env::var_os("BERTH_TEST_FULL").is_some();
    let seed = std::env::var("BERTH_SEED").map_or(27, |text| text.parse().unwrap());
    let rounds: u64 = if full { 10_000 } else { 600 };
    // In memory: more rounds a second.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = dir.path();
    World::prepare(root);
    let text = root.to_str().unwrap();
    let done = AtomicBool::new(false);
    let (workers, each) = (4, rounds / 4);
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut random = Random::new(seed);
            let mut killed = 0;
            while !done.load(Ordering::Relaxed) {
                let mut collector = doomed(text, &mut random);
                while collector.try_wait().unwrap().is_none() {
                    if done.load(Ordering::Relaxed) {
                        collector.kill().unwrap();
                    }
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                use std::os::unix::process::ExitStatusExt as _;
                let end = collector.wait().unwrap();
                assert_eq!(end.signal(), Some(9), "a collector failed: {end}");
                killed += 1;
            }
            killed
        });
        let collector = scope.spawn(|| {
            let mut times = 0;
            while !done.load(Ordering::Relaxed) {
                collect(root);
                times += 1;
            }
            times
        });
        let ends: Vec<_> = (0..workers)
            .map(|n| {
                let (name, seed) = (format!("w{n}"), seed.wrapping_add(n));
                scope.spawn(move || {
                    if n % 2 == 0 {
                        work(root, &name, seed, each);
                        return true;
                    }
                    let args = ["work", text, &name, &seed.to_string(), &each.to_string()];
                    program(&args).status().unwrap().success()
                })
            })
            .collect::<Vec<_>>()
            .into_iter()
            .map(|worker| worker.join())
            .collect();
        // Before anything panics here: the collectors would go on for ever.
        done.store(true, Ordering::Relaxed);
        let (times, killed) = (collector.join().unwrap(), killer.join().unwrap());
        assert!(
            ends.iter().all(|end| matches!(end, Ok(true))),
            "seed {seed}"
        );
        assert!(
            times > 3 && killed > 0,
            "{times} collections, {killed} killed"
        );
        println!("N27: {rounds} rounds, {times} collections, {killed} more killed");
    });
    // All that was left is garbage now, and goes.
    let store = Store::open(root).unwrap();
    for entry in store.refs().unwrap() {
        store.forget(&entry.descriptor.digest).unwrap();
    }
    collect(root);
    for place in ["blobs/sha256", "snapshots", "leases", "ingest", "trash"] {
        assert_eq!(
            std::fs::read_dir(root.join(place)).unwrap().count(),
            0,
            "{place}"
        );
    }
}

fn a_lease_waits_for_a_batch_at_most() {
    latency::measure();
}

/// The error that `Store` operations of a worker may give when an image was removed meanwhile.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::MissingBlob { .. })
}
