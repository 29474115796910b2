//! Health, as the API tells it; each answer is checked against the definition.

use serde_json::json;
use testkit::eventually;

use crate::rig::Api;

#[test]
fn health_is_told_listed_and_filtered() {
    let api = Api::start();
    let check = json!({
        "Test": ["CMD-SHELL", "test -e /well"], "Interval": 200_000_000u64, "Timeout": 5_000_000_000u64, "Retries": 1,
    });
    let body = json!({
        "Image": "busybox", "Cmd": ["sleep", "1000"], "Healthcheck": check, "HostConfig": {"NetworkMode": "none"},
    });
    let made = api.post_json("/v1.41/containers/create?name=cc", &body);
    let id = made.json()["Id"].as_str().unwrap().to_owned();
    api.post(&format!("/v1.41/containers/{id}/start"));
    let path = format!("/v1.41/containers/{id}/json");
    let state = || api.get(&path).json()["State"]["Health"].clone();
    assert_eq!(api.get(&path).json()["Config"]["Healthcheck"]["Retries"], 1);
    eventually("it is unhealthy", || {
        (state()["Status"] == "unhealthy").then_some(())
    });
    let health = state();
    assert!(health["FailingStreak"].as_u64().unwrap() >= 1, "{health}");
    assert_eq!(health["Log"][0]["ExitCode"], 1, "{health}");
    let listed = |value: &str| {
        let path =
            format!("/v1.41/containers/json?filters=%7B%22health%22%3A%5B%22{value}%22%5D%7D");
        api.get(&path).json().as_array().unwrap().len()
    };
    assert_eq!(
        (listed("unhealthy"), listed("healthy"), listed("none")),
        (1, 0, 0)
    );
    api.berth(&["exec", "cc", "touch", "/well"]).ok();
    eventually("it is healthy", || {
        (state()["Status"] == "healthy").then_some(())
    });
    let all = api.get("/v1.41/containers/json").json();
    let status = all[0]["Status"].as_str().unwrap();
    assert!(status.ends_with("(healthy)"), "{status}");
    // Docker's own command, too.
    let told = api.docker(&["inspect", "-f", "{{.State.Health.Status}}", "cc"]);
    assert_eq!(told.ok(), "healthy");
    api.post(&format!("/v1.41/containers/{id}/stop?t=0"));
    // As docker: nobody looks any more.
    assert_eq!(state()["Status"], "unhealthy");
}
