//! `manifest`: indexes made of images from here and from registries, judged by skopeo and by a pull.

use serde_json::Value;
use testkit::registry::Options;
use testkit::wait::PATIENCE;
use testkit::{Finished, Registry, Sandbox};

/// A registry with `bench/busybox:1`.
fn registry(options: &[&str]) -> Registry {
    let source = Sandbox::root().with_busybox();
    let registry = Registry::start(Options::default());
    let image = format!("oci:{}", source.stored_image());
    registry.push(&image, "bench/busybox:1", options);
    registry
}

fn skopeo(s: &Sandbox, name: &str) -> Value {
    let mut command = s.command("skopeo");
    command.args(["inspect", "--raw", "--tls-verify=false"]);
    command.arg(format!("docker://{name}"));
    let raw = Finished::run(&mut command, b"", PATIENCE).ok().to_owned();
    serde_json::from_str(&raw).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Of one registry, without a layer passing here; then of another, where all has to be copied.
#[test]
fn images_of_a_registry_become_an_index() {
    let s = Sandbox::root();
    let (registry, other) = (registry(&[]), Registry::start(Options::default()));
    let image = format!("{}/bench/busybox:1", registry.host());
    for host in [registry.host(), other.host()] {
        let list = format!("{host}/team/multi:1");
        s.berth(&["manifest", "create", &list, &image]).ok();
        assert_eq!(s.count("blobs/sha256"), 1, "only the index is here");
        let again = s.berth(&["manifest", "create", &list, &image]);
        assert!(again.fails(1).contains("--amend"), "{again}");
        let annotate = ["manifest", "annotate", "--variant=v1", "--annotation=a=b"];
        s.berth(&[&annotate[..], &[&list, &image]].concat()).ok();
        let absent = s.berth(&["manifest", "annotate", "--os=x", &list, "no/such"]);
        assert!(absent.fails(1).contains("not in it"), "{absent}");
        let here = json(s.berth(&["manifest", "inspect", &list]).ok());
        assert_eq!(here["manifests"][0]["platform"]["variant"], "v1");

        let pushed = s.berth(&["manifest", "push", "--purge", &list]);
        assert!(pushed.ok().starts_with("sha256:"), "{pushed}");
        assert_eq!(skopeo(&s, &list), here);
        assert_eq!(here["manifests"][0]["annotations"]["a"], "b");
        // It is the registry's now.
        assert_eq!(json(s.berth(&["manifest", "inspect", &list]).ok()), here);
        let verbose = json(s.berth(&["manifest", "inspect", "-v", &list]).ok());
        assert!(verbose["OCIManifest"]["layers"].is_array(), "{verbose}");
        s.berth(&["manifest", "rm", &list]).fails(1);
        s.berth(&["system", "gc"]).ok();
        assert_eq!(s.count("blobs/sha256"), 0);
    }
    let list = format!("{}/team/multi:1", other.host());
    assert_eq!(
        s.berth(&["run", "--rm", "-q", &list, "echo", "x"]).ok(),
        "x"
    );
}

#[test]
fn an_image_that_is_here_is_pushed_with_it() {
    let s = Sandbox::rootless().with_busybox();
    // The same image with another manifest.
    let registry = registry(&["--format", "v2s2"]);
    let list = format!("{}/team/multi", registry.host());
    s.berth(&["manifest", "create", &list, "busybox"]).ok();
    // What is in an index stays, whatever becomes of its name.
    s.berth(&["rmi", "busybox"]).ok();
    s.berth(&["system", "gc"]).ok();
    let remote = format!("{}/bench/busybox:1", registry.host());
    s.berth(&["manifest", "create", "--amend", &list, &remote])
        .ok();
    s.berth(&["manifest", "annotate", "--arch=arm64", &list, &remote])
        .ok();
    s.berth(&["fsck"]).ok();
    s.berth(&["manifest", "push", &list]).ok();
    let there = skopeo(&s, &list);
    let manifests = there["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 2);
    assert_eq!(manifests[1]["platform"]["architecture"], "arm64");
    // All is there now.
    let again = s.berth(&["manifest", "push", &list]);
    again.ok();
    assert_eq!(again.stderr.matches("Already exists").count(), 2, "{again}");
    assert_eq!(s.berth(&["manifest", "rm", &list]).ok(), list);
    s.berth(&["system", "gc"]).ok();
    assert_eq!(s.count("blobs/sha256"), 0);
    // Not an index of ours: nothing is changed.
    s.berth(&["pull", "-q", &list]).ok();
    let taken = s.berth(&["manifest", "create", "--amend", &list, &remote]);
    assert!(taken.fails(1).contains("has this name"), "{taken}");
    s.berth(&["manifest", "rm", &list]).fails(1);
    s.berth(&["rmi", &list]).ok();
}
