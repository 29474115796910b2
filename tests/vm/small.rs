//! The small guest: an initramfs is its whole disk. It prints a line for each check, `ok NAME` or `FAIL NAME: …`,
//! and `end` at last.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use testkit::{busybox, programs};

use crate::machine::{boot, copy, file, initramfs, libraries, shell};

const GUEST: &str = include_str!("small.sh");

pub fn cgroup_v2_alone() {
    let directory = tempfile::Builder::new()
        .prefix("berth-vm.")
        .tempdir()
        .unwrap();
    let machine = ["-M", "pc"].map(str::to_owned);
    let console = boot(&pack(directory.path()), "", &machine);
    let lines: Vec<&str> = console.lines().map(str::trim).collect();
    assert!(
        lines.contains(&"end"),
        "the guest did not come to its end:\n{console}"
    );
    let failed: Vec<&&str> = lines
        .iter()
        .filter(|line| line.starts_with("FAIL "))
        .collect();
    assert!(failed.is_empty(), "{failed:?}\n{console}");
    let passed = lines.iter().filter(|line| line.starts_with("ok ")).count();
    let wanted = GUEST
        .lines()
        .filter(|line| line.trim_start().starts_with("check "))
        .count();
    assert_eq!(passed, wanted, "{console}");
}

/// An archive (`docker save`'s form) of 41 layers: before Linux 6.8 overlay takes their names in one value.
const LAYERS: &str = r#"
mkdir -p "$1/t" && cd "$1"
tar -C "$3" -cf 0.tar . && ids=\"sha256:$(sha256sum 0.tar | cut -d' ' -f1)\" files=\"0.tar\"
for n in $(seq 40); do
    rm -f t/* && case $n in 1) echo first ;; 40) echo last ;; *) echo $n ;; esac >t/$n
    tar -C t -cf $n.tar $n
    ids="$ids,\"sha256:$(sha256sum $n.tar | cut -d' ' -f1)\"" files="$files,\"$n.tar\""
done
echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$ids]}}" >config.json
echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"layers:1\"],\"Layers\":[$files]}]" >manifest.json
tar -cf "$2" manifest.json config.json *.tar
"#;

/// Packs what the guest needs; answers with the file.
fn pack(directory: &Path) -> PathBuf {
    let root = directory.join("root");
    busybox::make_rootfs(&root);
    let image = directory.join("image");
    busybox::make_rootfs(&image);
    shell(
        "tar -C \"$1\" -cf \"$2\" .",
        &[&image, &root.join("image.tar")],
    );
    let layers = [&directory.join("layers"), &root.join("layers.tar"), &image];
    shell(LAYERS, &layers.map(PathBuf::as_path));
    for name in ["berth", "berth-runtime", "berth-monitor"] {
        copy(&programs::directory().join(name), &root);
    }
    // berth is the only dynamic one.
    for library in libraries(&programs::directory().join("berth")) {
        let parent = library.parent().unwrap().strip_prefix("/").unwrap();
        copy(&library, &root.join(parent));
    }
    copy(&file("overlay.ko"), &root);
    fs::write(root.join("init"), GUEST).unwrap();
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).unwrap();
    let packed = directory.join("initramfs");
    initramfs(&root, &packed);
    packed
}
