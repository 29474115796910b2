//! The inputs that fuzzing has found worth keeping, as ordinary tests: what was mended stays so.

use std::path::Path;

/// Runs `check` with each input of the fuzz target's corpus in the crate at `manifest_dir`.
///
/// # Panics
/// When `check` does, after the input's name was told; when there is no corpus.
pub fn replay(manifest_dir: &str, target: &str, check: fn(&[u8])) {
    let corpus = Path::new(manifest_dir).join("fuzz/corpus").join(target);
    let inputs = std::fs::read_dir(&corpus).expect("the target has a corpus");
    let mut count = 0;
    for input in inputs {
        let path = input.expect("a directory").path();
        let bytes = std::fs::read(&path).expect("a file");
        if std::panic::catch_unwind(|| check(&bytes)).is_err() {
            panic!("{} breaks it", path.display());
        }
        count += 1;
    }
    assert!(count > 0, "{} is empty", corpus.display());
}

/// Asserts that these are all fuzz targets of the crate.
///
/// # Panics
/// When one is missing.
pub fn assert_complete(manifest_dir: &str, targets: &[&str]) {
    let sources = Path::new(manifest_dir).join("fuzz/fuzz_targets");
    for source in std::fs::read_dir(sources).expect("the crate has fuzz targets") {
        let path = source.expect("a directory").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.expect("our names are text");
        assert!(
            targets.contains(&name),
            "the corpus of {name} is not replayed"
        );
    }
}

/// One test a target, which replays its corpus, and one that none is forgotten. `$target` is the module of the fuzzer.
#[macro_export]
macro_rules! replay_corpora {
    ($($target:ident),* $(,)?) => {
        $(
            #[test]
            fn $target() {
                let name = stringify!($target);
                $crate::corpus::replay(env!("CARGO_MANIFEST_DIR"), name, $target::check);
            }
        )*

        #[test]
        fn every_target_is_here() {
            let targets = [$(stringify!($target)),*];
            $crate::corpus::assert_complete(env!("CARGO_MANIFEST_DIR"), &targets);
        }
    };
}
