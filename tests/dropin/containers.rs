//! What podman and buildah have in common: their storage in the sandbox, and their configuration.

use std::process::Command;

use testkit::Sandbox;

/// Makes the directories that [`command`] names, and a configuration with these lines more.
pub fn set_up(sandbox: &Sandbox, program: &str, more: &str) {
    sandbox.folder("tmp");
    sandbox.folder(program);
    // Limits are named, or they would be raised, which not every root may.
    let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
    sandbox.file("containers.conf", format!("{limits}{more}"));
}

/// The program with its storage.
pub fn command(sandbox: &Sandbox, program: &str) -> Command {
    let home = sandbox.home();
    let mut command = sandbox.command(&format!("/usr/bin/{program}"));
    command
        .env("TMPDIR", home.join("tmp"))
        .env("CONTAINERS_CONF", home.join("containers.conf"))
        .arg("--root")
        .arg(home.join(program).join("root"))
        .arg("--runroot")
        .arg(home.join(program).join("run"))
        .arg("--storage-driver=overlay");
    command
}

/// The storage stays mounted otherwise.
pub fn unmount(sandbox: &Sandbox, program: &str) {
    let store = sandbox.home().join(program).join("root/overlay");
    let _ = Command::new("umount").arg(store).output();
}
