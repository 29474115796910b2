//! `push`, to Debian's registry on loopback; what others make of it.

use std::time::Duration;

use testkit::evil_registry::Reply;
use testkit::registry::Options;
use testkit::{EvilRegistry, Registry, Sandbox, eventually};

fn pushes(s: &Sandbox) {
    let registry = Registry::start(Options::default());
    let image = format!("{}/team/app:1", registry.host());
    s.berth(&["tag", "busybox", &image]).ok();
    let pushed = s.berth(&["push", &image]);
    let line = pushed.ok().to_owned();
    let digest = line.strip_prefix("1: digest: ").unwrap();
    let (digest, size) = digest.split_once(" size: ").unwrap();
    assert!(size.parse::<u32>().unwrap() > 100, "{line}");
    for word in [
        "The push refers to repository [",
        "/team/app]",
        ": Waiting\n",
        ": Pushed\n",
    ] {
        assert!(pushed.stderr.contains(word), "{pushed}");
    }
    let inspect =
        format!("skopeo inspect --tls-verify=false docker://{image} -f '{{{{.Digest}}}}'");
    assert_eq!(s.shell_as_root(&inspect).ok(), digest);

    // Again: nothing to send. To elsewhere: from there.
    let again = s.berth(&["push", &image]);
    assert!(again.stderr.contains(": Layer already exists\n"), "{again}");
    let other = format!("{}/else:2", registry.host());
    s.berth(&["tag", "busybox", &other]).ok();
    let mounted = s.berth(&["image", "push", &other]);
    assert!(
        mounted.stderr.contains(": Mounted from team/app\n"),
        "{mounted}"
    );

    // All tags of a name, and nothing but names.
    let name = format!("{}/team/app", registry.host());
    s.berth(&["tag", "busybox", &format!("{name}:2")]).ok();
    let all = s.berth(&["push", "-q", "-a", &name]);
    assert_eq!(all.ok(), format!("{name}:1\n{name}:2"));
    assert_eq!(all.stderr, "");

    // It runs from there.
    s.berth(&["rmi", &image]).ok();
    assert_eq!(
        s.berth(&["run", "--rm", "-q", &image, "echo", "back"]).ok(),
        "back"
    );
}

#[test]
fn as_root() {
    pushes(&Sandbox::root().with_busybox());
}

#[test]
fn rootless() {
    pushes(&Sandbox::rootless().with_busybox());
}

#[test]
fn what_cannot_be_pushed_is_said() {
    let s = Sandbox::root().with_busybox();
    let registry = Registry::start(Options {
        login: true,
        ..Options::default()
    });
    let image = format!("{}/team/app:1", registry.host());
    s.berth(&["tag", "busybox", &image]).ok();
    for (arguments, code, words) in [
        (&["push", &image][..], 1, "denies access"),
        (&["push", "127.0.0.1:1/x"], 1, "no image has this name"),
        (&["push", "-a", "127.0.0.1:1/x"], 1, "no image is called"),
        (&["push", "-a", &image], 1, "--all-tags"),
    ] {
        let failed = s.berth(arguments);
        assert!(failed.fails(code).contains(words), "{failed}");
    }
    s.berth(&["tag", "busybox", "127.0.0.1:1/x"]).ok();
    let failed = s.berth(&["push", "127.0.0.1:1/x"]);
    assert!(failed.fails(1).contains("cannot connect"), "{failed}");
}

/// N4: a push that is killed while a layer is on its way leaves nothing here, and can be made again.
#[test]
fn a_killed_push_leaves_nothing() {
    let s = Sandbox::root().with_busybox();
    let silent = EvilRegistry::start(|request| match request.method.as_str() {
        "POST" => Reply::status(202).header("location", "/v2/x/blobs/uploads/s"),
        "PUT" => Reply {
            delay: Duration::from_secs(20),
            ..Reply::status(201)
        },
        _ => Reply::status(404),
    });
    let image = format!("{}/team/app:1", silent.host());
    s.berth(&["tag", "busybox", &image]).ok();
    let before = s.shell_as_root(&format!("cd {} && find . | sort", s.state().display()));
    let mut push = s.spawn(&["push", &image]);
    let uploading = || {
        silent
            .requests()
            .iter()
            .find(|r| r.method == "PUT")
            .map(drop)
    };
    eventually("a layer is being pushed", uploading);
    push.kill().unwrap();
    push.wait().unwrap();
    drop(push);
    // A lease of the dead is no harm; the next collection takes it.
    s.berth(&["system", "gc"]).ok();
    let after = s.shell_as_root(&format!("cd {} && find . | sort", s.state().display()));
    assert_eq!(after.ok(), before.ok());
    let registry = Registry::start(Options::default());
    let image = format!("{}/team/app:1", registry.host());
    s.berth(&["tag", "busybox", &image]).ok();
    s.berth(&["push", &image]).ok();
}
