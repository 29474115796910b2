//! What this host's kernel may lack, in a small virtual machine: a host with cgroup v2 alone.
//!
//! qemu boots Debian's cloud kernel (`tools/vm-kernel`) by plain emulation, so no /dev/kvm is needed. The
//! machine's whole disk is an initramfs: busybox, the three programs and `guest.sh`. The guest prints a line
//! for each check, `ok NAME` or `FAIL NAME: …`, and `end` at last.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testkit::{Finished, busybox, programs};

const GUEST: &str = include_str!("guest.sh");

/// Emulated, and two tests may run at once.
const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn cgroup_v2_alone() {
    let directory = tempfile::Builder::new()
        .prefix("berth-vm.")
        .tempdir()
        .unwrap();
    let console = boot(&initramfs(directory.path()));
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
fn initramfs(directory: &Path) -> PathBuf {
    let root = directory.join("root");
    busybox::make_rootfs(&root);
    let image = directory.join("image");
    busybox::make_rootfs(&image);
    let tar = Command::new("tar")
        .arg("-C")
        .arg(&image)
        .arg("-cf")
        .arg(root.join("image.tar"))
        .arg(".")
        .status();
    assert!(tar.unwrap().success());
    let layers = Command::new("sh")
        .args(["-euc", LAYERS, "sh"])
        .arg(directory.join("layers"))
        .arg(root.join("layers.tar"))
        .arg(&image)
        .status();
    assert!(layers.unwrap().success());
    for name in ["berth", "berth-runtime", "berth-monitor"] {
        copy(&programs::directory().join(name), &root);
    }
    // berth is the only dynamic one.
    let libraries = Command::new("ldd")
        .arg(programs::directory().join("berth"))
        .output()
        .unwrap();
    let text = String::from_utf8(libraries.stdout).unwrap();
    for library in text.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(
            Path::new(library),
            &root.join(
                Path::new(library)
                    .parent()
                    .unwrap()
                    .strip_prefix("/")
                    .unwrap(),
            ),
        );
    }
    copy(&vm_file("overlay.ko"), &root);
    fs::write(root.join("init"), GUEST).unwrap();
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).unwrap();

    let packed = directory.join("initramfs");
    let pack = "cd \"$1\" && find . | cpio --quiet -o -H newc >\"$2\"";
    let status = Command::new("sh")
        .args(["-c", pack, "sh"])
        .arg(&root)
        .arg(&packed)
        .status()
        .unwrap();
    assert!(status.success(), "cpio is installed");
    packed
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let target = to.join(from.file_name().unwrap());
    fs::copy(from, target).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
}

/// A file that `tools/vm-kernel` has fetched.
fn vm_file(name: &str) -> PathBuf {
    let target = programs::directory().join("../vm").join(name);
    assert!(
        target.exists(),
        "{} is missing: run tools/vm-kernel",
        target.display()
    );
    target
}

/// The console's text, from power on to power off.
fn boot(initramfs: &Path) -> String {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-accel", "tcg", "-M", "pc", "-cpu", "max", "-smp", "2", "-m", "1024",
    ]);
    qemu.args([
        "-nodefaults",
        "-no-user-config",
        "-nographic",
        "-serial",
        "stdio",
        "-no-reboot",
    ]);
    qemu.arg("-kernel")
        .arg(vm_file("vmlinuz"))
        .arg("-initrd")
        .arg(initramfs);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1 reboot=t"]);
    Finished::run(&mut qemu, b"", LIMIT).stdout
}
