//! Policies and signatures: skopeo and cosign sign and berth verifies, the other way round, and all that must not
//! pass. The registry is Debian's, on loopback.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use testkit::registry::Options;
use testkit::wait::PATIENCE;
use testkit::{Finished, Registry, Sandbox, programs};

/// A registry with `team/app:1`, a berth that has nothing yet, and a pair of keys.
struct Place {
    s: Sandbox,
    registry: Registry,
    /// `sha256:…` of the image.
    digest: String,
}

impl Place {
    fn new(s: Sandbox) -> Place {
        let source = Sandbox::root().with_busybox();
        let registry = Registry::start(Options::default());
        registry.push(&format!("oci:{}", source.stored_image()), "team/app:1", &[]);
        let place = Place {
            digest: String::new(),
            registry,
            s,
        };
        place.file("passphrase", "secret\n");
        place.file("policies.toml", "");
        place.keys("team");
        let digest = place.curl(&format!(
            "-sI -H 'Accept: {MANIFEST}' {} | tr -d '\\r' | sed -n 's/^docker-content-digest: //Ip'",
            place.url("team/app/manifests/1")
        ));
        Place { digest, ..place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.s.path().join("home").join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn file(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn keys(&self, name: &str) {
        let passphrase = self.text("passphrase");
        let arguments = [
            "trust",
            "key",
            "generate",
            "--passphrase-file",
            &passphrase,
            name,
        ];
        let made = self.berth(&arguments);
        assert_eq!(made.ok(), format!("{name}.key\n{name}.pub"));
    }

    /// berth with the policies of this place.
    fn berth(&self, arguments: &[&str]) -> Finished {
        self.berth_with(arguments, &[])
    }

    fn berth_with(&self, arguments: &[&str], variables: &[(&str, String)]) -> Finished {
        let mut command = self.s.berth_command(arguments);
        command.env("BERTH_TRUST", self.path("policies.toml"));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Finished::run(&mut command, b"", PATIENCE)
    }

    fn peer(&self, name: &str, arguments: &[&str]) -> Finished {
        let mut command = Command::new(programs::peer(name));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path(""))
            .env("PATH", "/usr/bin:/bin")
            .env("COSIGN_PASSWORD", "secret")
            .current_dir(self.path(""));
        Finished::run(&mut command, b"", PATIENCE)
    }

    /// skopeo with the settings for signatures in the registry.
    fn skopeo(&self, policy: &Value, arguments: &[&str]) -> Finished {
        fs::create_dir_all(self.path("registries.d")).unwrap();
        let settings = "default-docker:\n  use-sigstore-attachments: true\n";
        self.file("registries.d/all.yaml", settings);
        self.file("policy.json", &policy.to_string());
        let options = ["--policy", "policy.json", "--registries.d", "registries.d"];
        self.peer("skopeo", &[&options, arguments].concat())
    }

    fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.registry.host())
    }

    fn url(&self, rest: &str) -> String {
        format!("http://{}/v2/{rest}", self.registry.host())
    }

    fn curl(&self, line: &str) -> String {
        self.s
            .shell_as_root(&format!("curl {line}"))
            .ok()
            .to_owned()
    }

    /// What is required of the images of the registry's `team`.
    fn require_signature(&self, key: &str) {
        let prefix = self.image("team");
        self.berth(&["trust", "set", &prefix, "signed", "--key", key])
            .ok();
    }

    fn sign(&self, name: &str) {
        let (image, passphrase) = (self.image(name), self.text("passphrase"));
        let key = [
            "--key",
            "team.key",
            "--passphrase-file",
            &passphrase,
            &image,
        ];
        self.berth(&[&["trust", "sign"], &key[..]].concat()).ok();
    }

    /// The pull fails for a reason with all of `words`, and leaves nothing.
    #[track_caller]
    fn refuses(&self, image: &str, words: &[&str]) {
        let blobs = self.s.count("blobs/sha256");
        let done = self.berth(&["pull", image]);
        let told = done.fails(1);
        assert!(
            words.iter().all(|word| told.contains(word)),
            "{words:?}: {done}"
        );
        assert_eq!(self.berth(&["images", "-aq"]).ok(), "");
        // No layer was fetched, nor the configuration.
        assert_eq!(self.s.count("blobs/sha256"), blobs);
        assert_eq!(self.s.count("ingest"), 0);
    }

    #[track_caller]
    fn accepts(&self, image: &str) {
        self.berth(&["pull", "-q", image]).ok();
        self.berth(&["rmi", image]).ok();
    }

    /// The directory of a repository's tags in the registry's storage.
    fn repository(&self, name: &str) -> String {
        let storage = self.registry.storage();
        format!(
            "{}/docker/registry/v2/repositories/{name}",
            storage.display()
        )
    }

    fn signature_tag(&self) -> String {
        format!("{}.sig", self.digest.replace(':', "-"))
    }

    /// The image that holds the signatures.
    fn signatures(&self) -> Value {
        let url = self.url(&format!("team/app/manifests/{}", self.signature_tag()));
        let text = self.curl(&format!("-sf -H 'Accept: {MANIFEST}' {url}"));
        serde_json::from_str(&text).unwrap()
    }

    fn put_signatures(&self, manifest: &Value) {
        self.file("manifest.json", &manifest.to_string());
        let url = self.url(&format!("team/app/manifests/{}", self.signature_tag()));
        let file = self.text("manifest.json");
        self.curl(&format!(
            "-sf -X PUT -H 'Content-Type: {MANIFEST}' --data-binary @{file} {url}"
        ));
    }

    /// Uploads a blob, and gives its digest.
    fn put_blob(&self, content: &str) -> String {
        self.file("blob", content);
        let file = self.text("blob");
        let sum = self
            .s
            .shell_as_root(&format!("sha256sum {file} | cut -c1-64"));
        let digest = format!("sha256:{}", sum.ok());
        let begin = self.url("team/app/blobs/uploads/");
        let place = self.curl(&format!(
            "-sf -D- -o /dev/null -X POST {begin} | tr -d '\\r' | sed -n 's/^location: //Ip'"
        ));
        self.curl(&format!(
            "-sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary @{file} '{place}&digest={digest}'"
        ));
        digest
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const ANNOTATION: &str = "dev.cosignproject.cosign/signature";

/// What skopeo's policy.json says of the registry.
fn signed_by(host: &str, key: &str, identity: &str) -> Value {
    let required =
        json!([{"type": "sigstoreSigned", "keyPath": key, "signedIdentity": {"type": identity}}]);
    json!({"default": [{"type": "reject"}], "transports": {"docker": {host: required}}})
}

fn accept_all() -> Value {
    json!({"default": [{"type": "insecureAcceptAnything"}]})
}

fn skopeo_signs(s: Sandbox) {
    let p = Place::new(s);
    let image = p.image("team/app:1");
    let (from, to) = (
        format!("docker://{image}"),
        format!("docker://{}", p.image("team/copy:2")),
    );
    let tls = [
        "copy",
        "-q",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
    ];
    let key = [
        "--sign-by-sigstore-private-key",
        "team.key",
        "--sign-passphrase-file",
        "passphrase",
    ];
    p.skopeo(&accept_all(), &[&tls[..], &key, &[&from, &to]].concat())
        .ok();
    p.require_signature("team.pub");
    p.accepts(&p.image("team/copy:2"));
    // By the digest, too; and a container is made of it.
    p.accepts(&p.image(&format!("team/copy@{}", p.digest)));
    let copy = p.image("team/copy:2");
    let ran = p.berth(&["run", "--rm", "-q", &copy, "echo", "trusted"]);
    assert_eq!(ran.ok(), "trusted");
    // What is here is held against the policies again.
    let verified = p.berth(&["trust", "verify", &copy]);
    let repository = p.image("team/copy");
    assert_eq!(verified.ok(), format!("{repository}@{}", p.digest));
    assert!(verified.stderr.contains("team.pub"), "{verified}");
    let format = "{{.Name}} {{.Key}} {{.Verdict}}";
    let shown = p.berth(&["trust", "inspect", "--format", format, &copy]);
    assert_eq!(shown.ok(), format!("{copy} {} good", p.text("team.pub")));
    p.berth(&["rmi", &copy]).ok();
    // The other copy was never signed.
    p.refuses(
        &image,
        &[
            "has no signature",
            &p.image("team"),
            "policies.toml",
            "hint: ",
        ],
    );
    let run = p.berth(&["run", "--rm", &image, "true"]);
    assert!(run.fails(125).contains("has no signature"), "{run}");
    let create = p.berth(&["create", &image]);
    assert!(create.fails(1).contains("has no signature"), "{create}");
}

#[test]
fn skopeo_signs_and_berth_verifies_as_root() {
    skopeo_signs(Sandbox::root());
}

#[test]
fn skopeo_signs_and_berth_verifies_rootless() {
    skopeo_signs(Sandbox::rootless());
}

#[test]
fn berth_signs_and_skopeo_verifies() {
    let p = Place::new(Sandbox::root());
    p.keys("other");
    let (host, image) = (
        p.registry.host(),
        format!("docker://{}", p.image("team/app:1")),
    );
    let copy = ["copy", "-q", "--src-tls-verify=false", &image, "dir:copy"];
    let exact = signed_by(&host, "team.pub", "matchRepoDigestOrExact");
    p.skopeo(&exact, &copy).fails(1);
    p.sign("team/app:1");
    p.skopeo(&exact, &copy).ok();
    p.skopeo(
        &signed_by(&host, "other.pub", "matchRepoDigestOrExact"),
        &copy,
    )
    .fails(1);
    // Again: it is signed already. Another's signature stays beside ours.
    p.sign("team/app:1");
    assert_eq!(p.signatures()["layers"].as_array().unwrap().len(), 1);
    let tls = [
        "copy",
        "-q",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
    ];
    let key = [
        "--sign-by-sigstore-private-key",
        "other.key",
        "--sign-passphrase-file",
        "passphrase",
    ];
    p.skopeo(&accept_all(), &[&tls[..], &key, &[&image, &image]].concat())
        .ok();
    p.keys("third");
    let passphrase = p.text("passphrase");
    let sign = [
        "trust",
        "sign",
        "--key",
        "third.key",
        "--passphrase-file",
        &passphrase,
    ];
    p.berth(&[&sign[..], &[&p.image("team/app:1")]].concat())
        .ok();
    assert_eq!(p.signatures()["layers"].as_array().unwrap().len(), 3);
    for key in ["team.pub", "other.pub", "third.pub"] {
        p.skopeo(&signed_by(&host, key, "matchRepoDigestOrExact"), &copy)
            .ok();
        p.berth(&["trust", "verify", "--key", key, &p.image("team/app:1")])
            .ok();
    }
    let shown = p.berth(&[
        "trust",
        "inspect",
        "--key",
        "other.pub",
        &p.image("team/app:1"),
    ]);
    assert_eq!(
        shown.ok().lines().filter(|l| l.ends_with(" good")).count(),
        1,
        "{shown}"
    );
    assert_eq!(shown.ok().lines().count(), 4, "{shown}");
    // A wrong passphrase, and a public key in the place of the private one.
    p.file("wrong", "not it\n");
    let image = p.image("team/app:1");
    let wrong = p.berth(&[
        "trust",
        "sign",
        "--key",
        "team.key",
        "--passphrase-file",
        "wrong",
        &image,
    ]);
    assert!(wrong.fails(1).contains("passphrase"), "{wrong}");
    let public = p.berth(&[
        "trust",
        "sign",
        "--key",
        "team.pub",
        "--passphrase-file",
        "wrong",
        &image,
    ]);
    assert!(public.fails(1).contains("PUBLIC KEY"), "{public}");
    let silent = p.berth(&["trust", "sign", "--key", "team.key", &image]);
    assert!(silent.fails(1).contains("--passphrase-file"), "{silent}");
}

#[test]
fn what_is_pushed_is_signed_and_skopeo_verifies() {
    let p = Place::new(Sandbox::root());
    let (old, new) = (p.image("team/app:1"), p.image("team/app:2"));
    p.berth(&["pull", "-q", &old]).ok();
    p.berth(&["tag", &old, &new]).ok();
    let push = |passphrase: &str| {
        let key = ["--sign-by", "team.key", "--passphrase-file", passphrase];
        p.berth(&[&["push", "-q"], &key[..], &[&new]].concat())
    };
    // Known before anything goes out.
    p.file("wrong", "not it\n");
    assert!(push("wrong").fails(1).contains("passphrase"));
    p.berth(&["manifest", "inspect", &new]).fails(1);
    assert_eq!(push("passphrase").ok(), new);
    let exact = signed_by(&p.registry.host(), "team.pub", "matchRepoDigestOrExact");
    let copy = |name: &str| {
        let image = format!("docker://{name}");
        p.skopeo(
            &exact,
            &["copy", "-q", "--src-tls-verify=false", &image, "dir:copy"],
        )
    };
    copy(&new).ok();
    p.berth(&["trust", "verify", "--key", "team.pub", &new])
        .ok();
    // The same image, which nobody signed under this name.
    copy(&old).fails(1);
    let unused = p.berth(&["push", "--passphrase-file", "passphrase", &new]);
    assert!(unused.fails(1).contains("--sign-by"), "{unused}");
}

#[test]
fn cosign_and_berth_take_each_others_keys_and_signatures() {
    let p = Place::new(Sandbox::root());
    let by_digest = p.image(&format!("team/app@{}", p.digest));
    p.peer("cosign", &["generate-key-pair"]).ok();
    let http = ["--allow-http-registry", "--allow-insecure-registry"];
    let sign = ["sign", "-y", "--tlog-upload=false", "--key"];
    let verify = ["verify", "--insecure-ignore-tlog=true", "--key"];
    // cosign signs with a key of its own, without a tag: it holds for all tags.
    p.peer(
        "cosign",
        &[&sign[..], &["cosign.key"], &http, &[&by_digest]].concat(),
    )
    .ok();
    p.require_signature("cosign.pub");
    p.accepts(&p.image("team/app:1"));
    // With a key of ours.
    p.require_signature("team.pub");
    p.refuses(&p.image("team/app:1"), &["none of the keys made it"]);
    p.peer(
        "cosign",
        &[&sign[..], &["team.key"], &http, &[&by_digest]].concat(),
    )
    .ok();
    p.accepts(&p.image("team/app:1"));
    // We sign with a key of cosign's; cosign verifies.
    p.keys("other");
    let passphrase = p.text("passphrase");
    for key in ["cosign.key", "other.key"] {
        let sign = [
            "trust",
            "sign",
            "--key",
            key,
            "--passphrase-file",
            &passphrase,
        ];
        p.berth(&[&sign[..], &[&p.image("team/app:1")]].concat())
            .ok();
        let public = key.replace(".key", ".pub");
        p.peer(
            "cosign",
            &[&verify[..], &[&public], &http, &[&by_digest]].concat(),
        )
        .ok();
    }
    let shown = p.berth(&["trust", "inspect", &p.image("team/app:1")]);
    assert_eq!(shown.ok().lines().count(), 5, "{shown}");
}

#[test]
fn a_signature_is_for_one_name_one_tag_and_one_image() {
    let p = Place::new(Sandbox::root());
    p.sign("team/app:1");
    p.require_signature("team.pub");
    p.accepts(&p.image("team/app:1"));
    // The same image with its signature in another repository.
    let (app, copy) = (p.repository("team/app"), p.repository("team/copy"));
    p.s.shell_as_root(&format!("cp -a {app} {copy}")).ok();
    let (signed, wanted) = (p.image("team/app"), p.image("team/copy"));
    p.refuses(
        &p.image("team/copy:1"),
        &["it is for the repository", &signed, &wanted],
    );
    // Under another tag.
    let tags = format!("{app}/_manifests/tags");
    p.s.shell_as_root(&format!("cp -a {tags}/1 {tags}/2")).ok();
    p.refuses(&p.image("team/app:2"), &["it is for the tag `1`, not `2`"]);
    p.accepts(&p.image(&format!("team/app@{}", p.digest)));
    // Beside another image of the repository.
    let source = Sandbox::root();
    source.berth(&["image", "bootstrap", "busybox"]).ok();
    let name = source.berth(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    source.berth(&["save", "-o", "saved.tar", name.ok()]).ok();
    let archive = format!(
        "docker-archive:{}",
        source.path().join("home/saved.tar").display()
    );
    p.registry
        .push(&archive, "team/app:1", &["--format", "v2s2"]);
    let other = p.curl(&format!(
        "-sI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' {} | tr -d '\\r' | sed -n 's/^docker-content-digest: //Ip'",
        p.url("team/app/manifests/1")
    ));
    assert_ne!(other, p.digest);
    p.refuses(&p.image("team/app:1"), &[&other, "has no signature"]);
    let tag = format!("{}.sig", other.replace(':', "-"));
    p.s.shell_as_root(&format!("cp -a {tags}/{} {tags}/{tag}", p.signature_tag()))
        .ok();
    p.refuses(&p.image("team/app:1"), &["it is for the image", &p.digest]);
    // What is signed must be what is here under the name.
    p.berth(&["trust", "set", &p.image("team"), "accept"]).ok();
    p.berth(&["pull", "-q", &p.image(&format!("team/app@{}", p.digest))])
        .ok();
    p.berth(&[
        "tag",
        &p.image(&format!("team/app@{}", p.digest)),
        &p.image("team/app:1"),
    ])
    .ok();
    let passphrase = p.text("passphrase");
    let image = p.image("team/app:1");
    let changed = p.berth(&[
        "trust",
        "sign",
        "--key",
        "team.key",
        "--passphrase-file",
        &passphrase,
        &image,
    ]);
    assert!(changed.fails(1).contains(&other), "{changed}");
}

#[test]
fn what_was_tampered_with_is_refused() {
    let p = Place::new(Sandbox::root());
    p.sign("team/app:1");
    p.keys("other");
    let image = p.image("team/app:1");
    p.require_signature("other.pub");
    p.refuses(&image, &["signature 1 of", "none of the keys made it"]);
    p.require_signature("team.pub");
    let good = p.signatures();
    let layer = &good["layers"][0];
    let url = p.url(&format!(
        "team/app/blobs/{}",
        layer["digest"].as_str().unwrap()
    ));
    let payload = p.curl(&format!("-sf {url}"));
    let replaced = |payload: &str| {
        let mut manifest = good.clone();
        manifest["layers"][0]["digest"] = p.put_blob(payload).into();
        manifest["layers"][0]["size"] = payload.len().into();
        manifest
    };
    let with_signature = |signature: Value| {
        let mut manifest = good.clone();
        manifest["layers"][0]["annotations"][ANNOTATION] = signature;
        manifest
    };
    let signature = layer["annotations"][ANNOTATION].as_str().unwrap();
    let mut without = good.clone();
    without["layers"][0]
        .as_object_mut()
        .unwrap()
        .remove("annotations");
    let mut no_layers = good.clone();
    no_layers["layers"] = json!([]);
    let mut others_type = good.clone();
    others_type["layers"][0]["mediaType"] = "application/vnd.dsse.envelope.v1+json".into();
    let mut many = good.clone();
    many["layers"] = vec![layer.clone(); 65].into();
    for (manifest, word) in [
        (
            replaced(&payload.replace(":1\"", ":2\"")),
            "none of the keys made it",
        ),
        (replaced(&format!("{payload} ")), "none of the keys made it"),
        (
            with_signature(signature[..signature.len() - 3].into()),
            "not valid base64",
        ),
        (with_signature("".into()), "none of the keys made it"),
        (without, "none of the keys made it"),
        (no_layers, "has no signature"),
        (others_type, "has no signature"),
        (many, "more than 64 signatures"),
        (replaced(&" ".repeat(200_000)), "larger than"),
    ] {
        p.put_signatures(&manifest);
        p.refuses(&image, &[word]);
    }
    // A bad one beside a good one does no harm.
    let mut both = with_signature("AAAA".into());
    both["layers"].as_array_mut().unwrap().push(layer.clone());
    p.put_signatures(&both);
    p.accepts(&image);
}

#[test]
fn policies_that_cannot_be_read_accept_nothing() {
    let p = Place::new(Sandbox::root());
    p.sign("team/app:1");
    let image = p.image("team/app:1");
    for (content, word) in [
        ("default = \"acept\"", "acept"),
        ("defualt = \"accept\"", "defualt"),
        ("default", "cannot use the file of policies"),
        (
            "default = \"signed\"\nkeys = [\"/nowhere/team.pub\"]",
            "/nowhere/team.pub",
        ),
    ] {
        p.file("policies.toml", content);
        p.refuses(&image, &[word, "hint: "]);
    }
    fs::remove_file(p.path("policies.toml")).unwrap();
    p.refuses(&image, &["policies.toml"]);
    // Keys that are none, or of another curve; the good one beside them does not help.
    p.s.shell("openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout >curve.pub")
        .ok();
    p.file(
        "garbage.pub",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    );
    for (key, word) in [
        ("curve.pub", "curve"),
        ("garbage.pub", "P-256"),
        ("team.key", "PRIVATE KEY"),
    ] {
        let set = p.berth(&[
            "trust", "default", "signed", "--key", "team.pub", "--key", key,
        ]);
        assert!(set.fails(1).contains(word), "{set}");
        let keys = [p.text("team.pub"), p.text(key)];
        p.file(
            "policies.toml",
            &format!("default = \"signed\"\nkeys = {keys:?}"),
        );
        p.refuses(&image, &[word]);
    }
}

#[test]
fn the_longest_prefix_accepts_or_rejects() {
    let p = Place::new(Sandbox::root());
    let image = p.image("team/app:1");
    p.berth(&["trust", "default", "reject"]).ok();
    p.refuses(
        &image,
        &["the default policy", "policies.toml", "rejects it"],
    );
    // Not even looked for.
    p.refuses("registry.invalid/no/such:1", &["rejects it"]);
    p.berth(&["trust", "set", &p.image("tea"), "accept"]).ok();
    p.refuses(&image, &["the default policy"]);
    p.berth(&["trust", "set", &p.registry.host(), "accept"])
        .ok();
    p.accepts(&image);
    p.berth(&["trust", "set", &p.image("team/app"), "reject"])
        .ok();
    p.refuses(&image, &["the policy of", &p.image("team/app")]);
    // A local image is nobody's to refuse; that it would not be pulled is told when asked.
    let s = Sandbox::root().with_busybox();
    let mut run = s.berth_command(&["run", "--rm", "busybox", "echo", "local"]);
    run.env("BERTH_TRUST", p.path("policies.toml"));
    assert_eq!(Finished::run(&mut run, b"", PATIENCE).ok(), "local");
    let mut verify = s.berth_command(&["trust", "verify", "busybox"]);
    verify.env("BERTH_TRUST", p.path("policies.toml"));
    let verify = Finished::run(&mut verify, b"", PATIENCE);
    assert!(verify.fails(1).contains("rejects it"), "{verify}");
    let listed = p.berth(&["trust", "ls", "--format", "{{.Prefix}} {{.Require}}"]);
    let expected = format!(
        "{} accept\n{} accept\n{} reject\n<default> reject",
        p.image("tea"),
        p.registry.host(),
        p.image("team/app")
    );
    assert_eq!(listed.ok(), expected);
    p.berth(&["trust", "rm", &p.image("team/app")]).ok();
    p.accepts(&image);
    p.berth(&["trust", "rm", &p.image("team/app")]).fails(1);
    for bad in [
        "busybox",
        "registry.example/a:1",
        "https://registry.example",
    ] {
        let done = p.berth(&["trust", "set", bad, "accept"]);
        assert!(done.fails(1).contains("prefix"), "{done}");
    }
    p.berth(&["trust", "set", "registry.example", "signed"])
        .fails(1);
    p.berth(&[
        "trust",
        "set",
        "registry.example",
        "accept",
        "--key",
        "team.pub",
    ])
    .fails(1);
}

#[test]
fn a_mirror_without_the_signature_is_refused() {
    let p = Place::new(Sandbox::root());
    let stripped = Registry::start(Options::default());
    let (from, plain) = (
        p.image("team/app:1"),
        format!("{}/team/app:1", stripped.host()),
    );
    let (from, plain) = (format!("docker://{from}"), format!("docker://{plain}"));
    let tls = [
        "copy",
        "-q",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
    ];
    p.skopeo(
        &accept_all(),
        &[&tls[..], &["--remove-signatures", &from, &plain]].concat(),
    )
    .ok();
    // Signed for the name that users write.
    let name = "registry.invalid/team/app:1";
    let key = [
        "--sign-by-sigstore-private-key",
        "team.key",
        "--sign-passphrase-file",
        "passphrase",
    ];
    let identity = ["--sign-identity", name];
    p.skopeo(
        &accept_all(),
        &[&tls[..], &key, &identity, &[&from, &from]].concat(),
    )
    .ok();
    p.berth(&[
        "trust",
        "set",
        "registry.invalid",
        "signed",
        "--key",
        "team.pub",
    ])
    .ok();
    let pull = |mirror: &str| {
        let text = format!(
            "[[registry]]\nhost = \"registry.invalid\"\nblocked = true\nmirrors = [\"http://{mirror}\"]\n"
        );
        p.file("registries.toml", &text);
        let variables = [("BERTH_REGISTRIES", p.text("registries.toml"))];
        p.berth_with(&["pull", "-q", name], &variables)
    };
    let refused = pull(&stripped.host());
    assert!(refused.fails(1).contains("has no signature"), "{refused}");
    assert_eq!(p.s.count("blobs/sha256"), 0);
    pull(&p.registry.host()).ok();
}

#[test]
fn an_index_is_signed_whole_or_image_by_image() {
    let p = Place::new(Sandbox::root());
    let manifest = p.curl(&format!(
        "-sf -H 'Accept: {MANIFEST}' {}",
        p.url("team/app/manifests/1")
    ));
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{
        "mediaType": MANIFEST, "digest": p.digest, "size": manifest.len(),
        "platform": {"os": "linux", "architecture": architecture},
    }]});
    p.file("index.json", &index.to_string());
    let file = p.text("index.json");
    for tag in ["whole", "each"] {
        p.curl(&format!(
            "-sf -X PUT -H 'Content-Type: {INDEX}' --data-binary @{file} {}",
            p.url(&format!("team/app/manifests/{tag}"))
        ));
    }
    p.require_signature("team.pub");
    p.refuses(&p.image("team/app:whole"), &[&p.digest, "has no signature"]);
    p.sign("team/app:whole");
    p.accepts(&p.image("team/app:whole"));
    // skopeo asks for the image's own.
    let copy = format!("docker://{}", p.image("team/app:each"));
    let copy = ["copy", "-q", "--src-tls-verify=false", &copy, "dir:copy"];
    let exact = signed_by(&p.registry.host(), "team.pub", "matchRepoDigestOrExact");
    p.skopeo(&exact, &copy).fails(1);
    let passphrase = p.text("passphrase");
    let sign = [
        "trust",
        "sign",
        "--recursive",
        "--key",
        "team.key",
        "--passphrase-file",
        &passphrase,
    ];
    let signed = p.berth(&[&sign[..], &[&p.image("team/app:each")]].concat());
    assert_eq!(signed.ok().lines().count(), 2, "{signed}");
    p.skopeo(&exact, &copy).ok();
    p.accepts(&p.image("team/app:each"));
}

/// The terminal shows nothing of a passphrase, and is as before afterwards.
#[test]
fn a_passphrase_is_asked_for_twice() {
    let s = Sandbox::root();
    let generate = |name: &str, once: &str, again: &str, told: &str| {
        let mut session = s.session(&["trust", "key", "generate", name]);
        let mut shown = session.expect("Passphrase: ");
        session.send(once);
        if !again.is_empty() {
            shown += &session.expect("once more: ");
            session.send(again);
        }
        shown += &session.expect(told);
        assert!(!shown.contains("sec"), "{shown}");
        session.wait().success()
    };
    assert!(generate("team", "secret\n", "secret\n", "team.pub"));
    let mut cosign = Command::new(programs::peer("cosign"));
    cosign.args(["public-key", "--key", "team.key"]);
    cosign.env("COSIGN_PASSWORD", "secret");
    cosign.current_dir(s.path().join("home"));
    let public = Finished::run(&mut cosign, b"", PATIENCE);
    let file = fs::read_to_string(s.path().join("home/team.pub")).unwrap();
    assert_eq!(public.ok(), file.trim_end());
    assert!(!generate("typo", "secret\n", "secrte\n", "differ"));
    assert!(!generate("none", "sec\x03", "", "no answer"));
    // Nor is what is there already written over.
    assert!(!generate("team", "secret\n", "secret\n", "`team.key`"));
    assert_eq!(s.shell("ls *.key *.pub | wc -l").ok().trim(), "2");
}

#[test]
fn artifacts_are_held_against_the_policies_too() {
    let p = Place::new(Sandbox::root());
    let (artifact, passphrase) = (p.image("team/notes:1"), p.text("passphrase"));
    p.file("notes.txt", "signed");
    p.berth(&["artifact", "push", &artifact, "notes.txt"]).ok();
    p.require_signature("team.pub");
    let pull = ["artifact", "pull", "-o", "pulled", &artifact];
    let refused = p.berth(&pull);
    assert!(refused.fails(1).contains("has no signature"), "{refused}");
    assert!(!p.path("pulled").exists());
    let sign = [
        "trust",
        "sign",
        "--key",
        "team.key",
        "--passphrase-file",
        &passphrase,
    ];
    p.berth(&[&sign[..], &[&artifact]].concat()).ok();
    p.berth(&["trust", "verify", &artifact]).ok();
    p.berth(&pull).ok();
    assert_eq!(
        fs::read_to_string(p.path("pulled/notes.txt")).unwrap(),
        "signed"
    );
    p.berth(&["trust", "set", &p.image("team/notes"), "reject"])
        .ok();
    assert!(p.berth(&pull).fails(1).contains("rejects it"));
}
