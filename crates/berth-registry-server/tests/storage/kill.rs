//! Killed at each step: what was acknowledged is whole, what was not is whole or not there, and all goes on.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use berth_registry_server::Storage;

use crate::work;

/// This program as another.
pub fn program(args: &[&Path], env: &[(&str, &str)]) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(args)
        .env_remove("BERTH_FP")
        .env_remove("BERTH_FP_LOG");
    command.envs(env.iter().copied()).status().unwrap()
}

/// Does all the work, or dies at a step; tells what of it was acknowledged.
pub fn work_until(root: &Path, acknowledged: &Path, step: usize) -> usize {
    std::fs::remove_file(acknowledged).ok();
    let died = program(
        &[Path::new("work"), root, acknowledged],
        &[("BERTH_FP", &format!("#{step}"))],
    );
    assert_eq!(died.signal(), Some(9), "step {step} was not reached");
    std::fs::read(acknowledged).map_or(0, |bytes| bytes.len())
}

/// The names of all steps of the work.
pub fn steps(root: &Path, scratch: &Path) -> Vec<String> {
    let (log, acknowledged) = (scratch.join("steps"), scratch.join("acknowledged"));
    let log_text = log.to_str().unwrap();
    let done = program(
        &[Path::new("work"), root, &acknowledged],
        &[("BERTH_FP_LOG", log_text)],
    );
    assert!(done.success());
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(log).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// After a death: the state before the step that was under way, or after it; then the whole work again.
pub fn assert_survived(root: &Path, acknowledged: usize, scratch: &Path, when: &str) {
    let storage = Storage::open(root).unwrap();
    work::assert_sound(&storage, when);
    let state = work::state(&storage);
    let either = [
        work::expected(acknowledged),
        work::expected(acknowledged + 1),
    ];
    assert!(
        either.contains(&state),
        "{when}: {state:?} is none of {either:?}"
    );
    drop(storage);
    let again = program(&[Path::new("work"), root, &scratch.join("again")], &[]);
    assert!(again.success(), "{when}: it does not go on");
    assert_end(root, when);
}

/// All is as it should be at the end, and no garbage is left.
pub fn assert_end(root: &Path, when: &str) {
    let storage = Storage::open(root).unwrap();
    work::assert_sound(&storage, when);
    assert_eq!(
        work::state(&storage),
        work::expected(work::STEPS.len()),
        "{when}"
    );
    let mut contents = 0;
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let text = path.to_str().unwrap();
            assert!(
                !text.contains(".tmp-") && !text.contains("_uploads/"),
                "{when}: {text}"
            );
            contents += usize::from(text.contains("blobs/sha256/"));
            if path.is_dir() {
                dirs.push(path);
            }
        }
    }
    assert_eq!(contents, 4, "{when}: one image is left, stored once");
}

pub fn killed_at_each_step() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let first = dir.path().join("0");
    let steps = steps(&first, dir.path());
    assert_end(&first, "undisturbed");
    assert!(
        steps.len() > 150,
        "only {} steps: do all pass a fail point?",
        steps.len()
    );
    // All of them in the long run.
    let stride = if std::env::var_os("BERTH_TEST_FULL").is_some() {
        1
    } else {
        3
    };
    for step in (1..=steps.len()).step_by(stride) {
        let root = dir.path().join(step.to_string());
        let acknowledged = work_until(&root, &dir.path().join("acknowledged"), step);
        let when = format!("killed at step {step} ({})", steps[step - 1]);
        assert_survived(&root, acknowledged, dir.path(), &when);
        std::fs::remove_dir_all(&root).unwrap();
    }
    println!("killed at each of {} steps, stride {stride}", steps.len());
}

/// A push that adds two blobs and moves a tag, in a repository that is there: for each blob its content and its
/// name, for the manifest its content, its history, its name, and the tag's. Nothing else has to reach the disk.
pub fn a_push_syncs_no_more_than_it_must() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = dir.path().join("registry");
    let storage = Storage::open(&root).unwrap();
    work::STEPS[0](&storage).unwrap();
    let log = dir.path().join("steps");
    let done = program(
        &[Path::new("push"), &root],
        &[("BERTH_FP_LOG", log.to_str().unwrap())],
    );
    assert!(done.success());
    let text = std::fs::read_to_string(&log).unwrap();
    let syncs = |name: &str| text.lines().filter(|line| *line == name).count();
    assert_eq!(
        (syncs("registry.sync"), syncs("dir.fsync")),
        (2 + 2, 2 + 2),
        "{text}"
    );

    // What a name leads to is on the disk before the name.
    let steps: Vec<&str> = text.lines().collect();
    let renames: Vec<usize> = (0..steps.len())
        .filter(|at| steps[*at] == "registry.rename")
        .collect();
    // Two blobs, the manifest, the tag.
    assert_eq!(renames.len(), 4, "{text}");
    let mut before = 0;
    for at in renames {
        assert!(
            steps[before..at].contains(&"registry.sync"),
            "step {at} of {text}"
        );
        before = at;
    }
    assert!(steps[before..].contains(&"dir.fsync"), "{text}");
}
