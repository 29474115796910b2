//! Starting, stopping and removing containers.

use testkit::eventually;

use crate::Api;

#[test]
fn a_container_is_stopped_started_and_removed() {
    let api = Api::start();
    let id = api.run("web", "trap 'exit 3' TERM; while :; do sleep 0.05; done");
    api.post("/v1.41/containers/web/start").expect(304);
    api.post("/containers/web/pause").expect(204);
    api.post("/containers/web/pause").expect(409);
    api.post("/containers/web/unpause").expect(204);
    api.post("/containers/web/unpause").expect(409);
    api.delete("/containers/web").expect(409);
    api.post(&format!("/containers/{}/stop?t=5", &id[..12]))
        .expect(204);
    api.post("/containers/web/stop").expect(304);
    let waited = api.post("/containers/web/wait").expect(200);
    assert_eq!(waited.json()["StatusCode"], 3);
    api.post("/containers/web/rename?name=other").expect(204);
    api.post("/containers/web/start").expect(404);
    api.post("/containers/other/start").expect(204);
    api.post("/containers/other/restart?t=5").expect(204);
    api.post("/containers/other/kill?signal=SIGNONSENSE")
        .expect(400);
    api.post("/containers/other/kill?signal=KILL").expect(204);
    eventually("it ends", || {
        (api.post("/containers/other/kill").status == 409).then_some(())
    });
    api.delete("/containers/other").expect(204);
    let gone = api.delete("/containers/other").expect(404);
    assert_eq!(gone.message(), "No such container: other");
}

#[test]
fn what_runs_is_listed() {
    let api = Api::start();
    api.run("web", "sleep 100");
    let top = api.get("/containers/web/top").expect(200).json();
    assert_eq!(top["Titles"][0], "UID");
    assert!(top["Processes"].to_string().contains("sleep 100"), "{top}");
    let top = api
        .get("/containers/web/top?ps_args=-o%20pid,comm")
        .expect(200)
        .json();
    assert_eq!(top["Titles"].as_array().unwrap().len(), 2);
    api.get("/containers/web/top?ps_args=--nonsense")
        .expect(400);
}
