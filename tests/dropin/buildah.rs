//! buildah with `--runtime`, as root and as an ordinary user: `RUN` of a build, and `run`.

use std::process::Command;

use testkit::{Finished, Sandbox, Session};

use crate::{containers, image, run, runtime, speak, table};

struct Buildah {
    sandbox: Sandbox,
}

impl Buildah {
    fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = containers::command(&self.sandbox, "buildah");
        command.arg(verb);
        if ["build", "run"].contains(&verb) {
            command
                .args(["--network=none", "--runtime"])
                .arg(runtime(&self.sandbox));
        }
        command.args(arguments);
        command
    }

    fn call(&self, verb: &str, arguments: &[&str]) -> Finished {
        run(&mut self.command(verb, arguments), "")
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        containers::unmount(&self.sandbox, "buildah");
    }
}

fn builds_and_runs(sandbox: Sandbox) {
    let sandbox = sandbox.with_busybox();
    let archive = format!("docker-archive:{}", image(&sandbox));
    containers::set_up(&sandbox, "buildah", "");
    sandbox.folder("context");
    let file = sandbox.file(
        "context/Containerfile",
        "FROM localhost/base\nRUN echo made >/made && id -u\nRUN cat /made && exit 0\nUSER 1000\nRUN id -u\n",
    );
    let buildah = Buildah { sandbox };
    let base = buildah.call("from", &[&archive]).ok().to_owned();
    buildah
        .call("commit", &["-q", &base, "localhost/base"])
        .ok();
    let context = file.parent().unwrap().to_str().unwrap();
    let built = buildah.call("build", &["-t", "made", context]);
    let told: Vec<&str> = built.ok().lines().collect();
    for line in ["0", "made", "1000"] {
        assert!(told.contains(&line), "{line}: {built}");
    }
    // What fails in a build fails the build.
    buildah
        .sandbox
        .file("context/Containerfile", "FROM localhost/base\nRUN exit 9\n");
    let failed = buildah.call("build", &[context]);
    assert!(failed.fails(9).contains("exit status 9"), "{failed}");
    table(
        &[
            (&[&base, "sh", "-c", "echo out; exit 3"], 3, "out", ""),
            (&["--isolation=rootless", &base, "true"], 0, "", ""),
            (&["--user", "1000", &base, "id", "-u"], 0, "1000", ""),
            (
                &[&base, "nosuch"],
                1,
                "",
                "executable file not found in $PATH",
            ),
        ],
        |line| buildah.call("run", line),
    );
    let mut cat = buildah.command("run", &[&base, "cat"]);
    assert_eq!(run(&mut cat, "in").ok(), "in");
    let command = buildah.command("run", &["-t", &base, "sh"]);
    speak(Session::start_for(&command, buildah.sandbox.user()));
    buildah.call("rm", &["-a"]).ok();
}

#[test]
fn buildah_builds_and_runs_as_root() {
    builds_and_runs(Sandbox::root());
}

#[test]
fn buildah_builds_and_runs_rootless() {
    builds_and_runs(Sandbox::rootless());
}
