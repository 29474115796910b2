//! The registry's page, in a real browser without a window: what a person sees after the scripts have run.

use std::time::Duration;

use testkit::{Finished, Sandbox, Served};

/// The page behind `#/PLACE`, as markup.
fn look(sandbox: &Sandbox, registry: &Served, place: &str) -> String {
    let mut command = sandbox.command("chromium-headless-shell");
    command.args([
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--virtual-time-budget=10000",
        "--dump-dom",
    ]);
    let profile = sandbox.folder("browser");
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.arg(format!("http://{}/#/{place}", registry.host()));
    let shown = Finished::run(&mut command, b"", Duration::from_secs(60));
    shown.ok().to_owned()
}

#[track_caller]
fn shows(page: &str, what: &[&str]) {
    for text in what {
        assert!(page.contains(text), "no {text:?} in:\n{page}");
    }
}

#[test]
fn the_page_shows_repositories_tags_layers_and_history() {
    let sandbox = Sandbox::root().with_busybox();
    let registry = Served::start(&sandbox, &[]);
    let empty = look(&sandbox, &registry, "");
    shows(&empty, &["nothing here yet"]);

    let name = format!("{}/team/app:1.0", registry.host());
    sandbox.berth(&["tag", "busybox", &name]).ok();
    sandbox.berth(&["push", "-q", &name]).ok();
    // G12: what somebody wrote into an image is text.
    let attack = "<img src=x onerror=document.title=1>";
    let change = format!("LABEL a={attack}");
    let archive = crate::image(&sandbox);
    let import = [
        "import",
        "--message",
        attack,
        "--change",
        &change,
        &archive,
        &name,
    ];
    sandbox.berth(&import).ok();
    sandbox.berth(&["push", "-q", &name]).ok();

    let repositories = look(&sandbox, &registry, "");
    shows(&repositories, &[r##"<a href="#/team/app">team/app</a>"##]);
    let tags = look(&sandbox, &registry, "team/app");
    shows(
        &tags,
        &[r##"<a href="#/team/app:1.0">1.0</a>"##, "MiB", "sha256:"],
    );
    let image = look(&sandbox, &registry, "team/app:1.0");
    let digest = registry.ask(&["-I"], "/v2/team/app/manifests/1.0");
    let digest = digest.ok().lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("docker-content-digest")
            .then(|| value.trim().to_owned())
    });
    shows(
        &image,
        &[
            &digest.unwrap(),
            "Layers: 1, ",
            "anonymous",
            r#"<table id="history">"#,
        ],
    );
    assert!(!image.contains("<img"), "{image}");
    let history = image.split_once(r#"<table id="history">"#).unwrap().1;
    assert_eq!(history.matches("<tr>").count(), 3, "{history}");

    let missing = look(&sandbox, &registry, "team/no:1");
    shows(&missing, &[r#"<p class="bad">"#]);
    drop(registry);
}
