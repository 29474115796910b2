//! `berth search`, at a server that answers as Docker Hub's index does.

use testkit::Sandbox;
use testkit::evil_registry::{EvilRegistry, Reply};

const FOUND: &str = r#"{"num_results": 2, "query": "redis", "results": [
    {"name": "bitnami/redis", "description": "a\tb\u001b[2Jc", "star_count": 7, "is_official": false, "is_automated": true},
    {"name": "redis", "description": "Redis is the world's fastest data platform for caching, vector search, and NoSQL databases.",
     "star_count": 13000, "is_official": true, "is_automated": false, "unknown": null}]}"#;

#[test]
fn what_is_found_is_shown_as_docker_shows_it() {
    let s = Sandbox::root();
    let hub = EvilRegistry::start(|asked| match asked.path.as_str() {
        "/v1/search?q=redis&n=25" => Reply::ok("application/json", FOUND),
        "/v1/search?q=redis&n=3" => Reply::ok("application/json", r#"{"results": []}"#),
        _ => Reply::status(404),
    });
    let term = format!("{}/redis", hub.host());
    let shown = s.berth(&["search", &term]);
    assert_eq!(
        shown.ok(),
        "NAME            DESCRIPTION                                     STARS     OFFICIAL\n\
         redis           Redis is the world's fastest data platform f…   13000     [OK]\n\
         bitnami/redis   a?b?[2Jc                                        7         "
    );
    for (options, want) in [
        (
            &["--filter", "is-official=true", "--format", "{{.Name}}"][..],
            "redis",
        ),
        (
            &[
                "--filter",
                "stars=8",
                "--format",
                "{{.Name}} {{.StarCount}}",
            ],
            "redis 13000",
        ),
        (
            &["--filter", "is-automated=true", "--format", "json"],
            "{\"Description\":\"a?b?[2Jc\",\"IsAutomated\":\"[OK]\",\"IsOfficial\":\"\",\"Name\":\"bitnami/redis\",\"StarCount\":\"7\"}",
        ),
        (&["--limit", "3", "--format", "{{.Name}}"], ""),
    ] {
        let line = [&["search"], options, &[term.as_str()]].concat();
        assert_eq!(s.berth(&line).ok(), want, "{options:?}");
    }
    let long = s.berth(&[
        "search",
        "--no-trunc",
        "--format",
        "{{.Description}}",
        &term,
    ]);
    assert!(long.ok().contains("NoSQL databases."));
    s.berth(&["search", "--limit", "101", &term]).fails(125);
    s.berth(&["search", "--filter", "colour=red", &term])
        .fails(1);
    let none = format!("{}/other", hub.host());
    s.berth(&["search", &none]).fails(1);
}
