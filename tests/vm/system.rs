//! The whole guest: how it is put together and what it must have said.
//!
//! ```text
//! vda   target/vm/system.ext4, whose changes are thrown away     /
//! vdb   /share, read-only: bin/ the programs under test, vm this program, lib/ its libraries
//! ```
//! The console has a line `ok NAME` or `FAIL NAME` (and what the test printed) for each test, and `end` at last.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use testkit::{busybox, programs};

use crate::guest;
use crate::machine::{boot, copy, file, initramfs, libraries, shell};

const INIT: &str = include_str!("system.sh");

/// For the disks, in this order. A microvm with virtio_mmio has no timer that this kernel would calibrate by.
const MODULES: [&str; 6] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
];

pub fn whole_system() {
    let filter = std::env::var("BERTH_GUEST").unwrap_or_default();
    run(&filter, "", None);
}

/// The tests of networks.
pub fn whole_system_networks() {
    run(guest::NETWORK, "", None);
}

/// One boot after the other, on a disk that keeps what was written.
pub fn whole_system_reboots() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("system.ext4");
    let copy = "cp --sparse=always \"$1\" \"$2\"";
    shell(copy, &[&file("system.ext4"), &disk]);
    for name in guest::names(guest::REBOOT) {
        run(name, "", Some(&disk));
    }
}

/// The same with the hierarchies of cgroup v1, for the tests that are about them.
pub fn whole_system_hybrid() {
    run(guest::HYBRID, "systemd.unified_cgroup_hierarchy=0", None);
}

/// `system`: its disk, which keeps what is written; `None`: the usual one, which does not.
fn run(filter: &str, more_words: &str, system: Option<&Path>) {
    let directory = tempfile::Builder::new()
        .prefix("berth-vm.")
        .tempdir()
        .unwrap();
    let kept = system.is_some();
    let system = system.map_or_else(|| file("system.ext4"), Path::to_owned);
    let disks = [(system, kept), (share(directory.path()), false)];
    let mut qemu = vec!["-M".to_owned(), "pc".to_owned()];
    for (n, (disk, kept)) in disks.iter().enumerate() {
        let (disk, snapshot) = (disk.display(), if *kept { "off" } else { "on" });
        qemu.extend([
            "-drive".to_owned(),
            format!("if=none,id=d{n},format=raw,snapshot={snapshot},file={disk}"),
        ]);
        qemu.extend(["-device".to_owned(), format!("virtio-blk-pci,drive=d{n}")]);
    }
    let words = format!(
        "loglevel=1 systemd.show_status=false systemd.unit=berth-guest.service hugepages=8 {more_words}"
    );
    let console = boot(&pack(directory.path(), filter), &words, &qemu);
    println!("{console}");
    let lines: Vec<&str> = console.lines().map(str::trim).collect();
    let failed: Vec<&&str> = lines
        .iter()
        .filter(|line| line.starts_with("FAIL "))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(lines.contains(&"end"), "the guest did not come to its end");
    let passed = lines.iter().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(passed, guest::names(filter).len());
}

/// What starts this program in the guest: with the libraries that it was built for.
fn command(share: &Path) -> String {
    let loader = fs::read_dir(share.join("lib")).unwrap().find_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.starts_with("ld-linux").then_some(name)
    });
    format!(
        "/share/lib/{} --library-path /share/lib /share/vm",
        loader.unwrap()
    )
}

/// The second disk.
fn share(directory: &Path) -> PathBuf {
    let share = directory.join("share");
    for name in ["berth", "berth-runtime", "berth-monitor"] {
        copy(&programs::directory().join(name), &share.join("bin"));
    }
    for unit in ["berth.service.in", "berth.socket.in"] {
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist");
        copy(&dist.join(unit), &share.join("dist"));
    }
    if let Some(other) = std::env::var_os("BERTH_RUNTIME") {
        fs::copy(other, share.join("bin/berth-runtime")).unwrap();
    }
    let program = std::env::current_exe().unwrap();
    for library in libraries(&program) {
        copy(&library, &share.join("lib"));
    }
    let stripped = "objcopy --strip-debug \"$1\" \"$2\"";
    shell(stripped, &[&program, &share.join("vm")]);
    let disk = directory.join("share.ext4");
    let make = "mke2fs -q -t ext4 -d \"$1\" \"$2\" $(($(du -sm \"$1\" | cut -f1) + 16))M";
    shell(make, &[&share, &disk]);
    disk
}

fn pack(directory: &Path, filter: &str) -> PathBuf {
    let root = directory.join("root");
    busybox::make_rootfs(&root);
    for module in MODULES {
        let found = "cp \"$(find \"$1\" -name \"$(basename \"$2\")\")\" \"$2\"";
        shell(
            found,
            &[&file("modules"), &root.join(format!("{module}.ko"))],
        );
    }
    let command = command(&directory.join("share"));
    let environment = "PATH=/usr/sbin:/usr/bin HOME=/root BERTH_BIN_DIR=/share/bin \
                       BERTH_RUNTIME=/share/bin/berth-runtime";
    let init = INIT
        .replace("@MODULES@", &MODULES.join(" "))
        .replace(
            "@ENVIRONMENT@",
            &format!("{environment} \"BERTH_GUEST={command}\""),
        )
        .replace("@COMMAND@", &format!("{command} guest {filter}"));
    fs::write(root.join("init"), init).unwrap();
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).unwrap();
    let packed = directory.join("initramfs.system");
    initramfs(&root, &packed);
    packed
}
