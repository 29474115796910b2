//! Further processes in containers.

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::{Value, json};
use testkit::eventually;

use crate::Api;

fn make(api: &Api, document: Value) -> String {
    let made = api
        .post_json("/containers/web/exec", &document)
        .expect(201)
        .json();
    made["Id"].as_str().unwrap().to_owned()
}

#[test]
fn outputs_come_apart_and_the_code_is_kept() {
    let api = Api::start();
    let container = api.run("web", "sleep 100");
    let id = make(
        &api,
        json!({"AttachStdout": true, "AttachStderr": true, "Cmd": ["sh", "-c", "echo out; echo err >&2; exit 7"]}),
    );
    let before = api.get(&format!("/exec/{id}/json")).expect(200).json();
    assert_eq!(
        (&before["Running"], &before["ExitCode"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(before["ContainerID"], container.as_str());
    let mut stream = api.hijack(&format!("/exec/{id}/start"), &json!({"Detach": false}));
    assert_eq!(stream.status, 101);
    assert_eq!(stream.frames(), ("out\n".to_owned(), "err\n".to_owned()));
    let after = api.get(&format!("/exec/{id}/json")).expect(200).json();
    assert_eq!(
        (&after["Running"], &after["ExitCode"]),
        (&json!(false), &json!(7))
    );
    api.post_json(&format!("/exec/{id}/start"), &json!({}))
        .expect(409);
}

#[test]
fn input_flows_until_its_half_is_closed() {
    let api = Api::start();
    api.run("web", "sleep 100");
    let id = make(
        &api,
        json!({"AttachStdin": true, "AttachStdout": true, "Cmd": ["sha256sum"]}),
    );
    let mut stream = api.hijack(&format!("/exec/{id}/start"), &json!({}));
    let input = vec![b'x'; 3 << 20];
    let mut writer = stream.stream.get_ref().try_clone().unwrap();
    writer.write_all(&input).unwrap();
    writer.shutdown(Shutdown::Write).unwrap();
    let (out, _) = stream.frames();
    let sum = api
        .sandbox
        .shell("head -c 3145728 /dev/zero | tr '\\0' x | sha256sum");
    assert_eq!(out.trim_end(), sum.ok());
    assert_eq!(api.get(&format!("/exec/{id}/json")).json()["ExitCode"], 0);
}

#[test]
fn a_client_that_does_not_upgrade_reads_a_body() {
    let api = Api::start();
    api.run("web", "sleep 100");
    let id = make(
        &api,
        json!({"AttachStdout": true, "Cmd": ["echo", "hello"]}),
    );
    let answer = api.raw(
        "POST",
        &format!("/v1.41/exec/{id}/start"),
        &[("Content-Type", "application/json")],
        b"{}",
    );
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/vnd.docker.raw-stream")
    );
    assert_eq!(&answer.body[8..], b"hello\n");
}

#[test]
fn a_terminal_is_raw_and_has_a_size() {
    let api = Api::start();
    api.run("web", "sleep 100");
    let id = make(
        &api,
        json!({"AttachStdin": true, "AttachStdout": true, "Tty": true, "Cmd": ["sh", "-c", "read x; stty size; echo got $x"]}),
    );
    let mut stream = api.hijack(
        &format!("/exec/{id}/start"),
        &json!({"Tty": true, "ConsoleSize": [20, 70]}),
    );
    assert_eq!(stream.status, 101);
    eventually("the terminal is there", || {
        (api.post(&format!("/exec/{id}/resize?h=33&w=99")).status == 200).then_some(())
    });
    stream.stream.get_mut().write_all(b"word\n").unwrap();
    let mut said = String::new();
    stream.stream.read_to_string(&mut said).unwrap();
    assert!(
        said.contains("33 99\r\n") && said.contains("got word\r\n"),
        "{said:?}"
    );
    api.post(&format!("/exec/{id}/resize?h=1&w=1")).expect(409);
    api.post(&format!("/exec/{id}/resize?h=1")).expect(400);
}

#[test]
fn a_detached_one_runs_alone_and_a_client_that_leaves_ends_none() {
    let api = Api::start();
    api.run("web", "sleep 100");
    let id = make(
        &api,
        json!({"Cmd": ["sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; touch /detached"]}),
    );
    api.post_json(&format!("/exec/{id}/start"), &json!({"Detach": true}))
        .expect(200);
    let state = api.get(&format!("/exec/{id}/json")).json();
    assert_eq!(state["Running"], true);
    assert!(state["Pid"].as_i64().unwrap() > 0, "{state}");
    api.berth(&["exec", "web", "touch", "/go"]).ok();
    eventually("it has ended", || {
        (api.get(&format!("/exec/{id}/json")).json()["ExitCode"] == 0).then_some(())
    });
    api.berth(&["exec", "web", "ls", "/detached"]).ok();

    let id = make(
        &api,
        json!({"AttachStdout": true, "Cmd": ["sh", "-c", "echo a; sleep 1; echo b; touch /left"]}),
    );
    drop(api.hijack(&format!("/exec/{id}/start"), &json!({})));
    eventually("it goes on without us", || {
        (api.get(&format!("/exec/{id}/json")).json()["ExitCode"] == 0).then_some(())
    });
    api.berth(&["exec", "web", "ls", "/left"]).ok();
}

#[test]
fn what_cannot_run_says_so() {
    let api = Api::start();
    api.run("web", "sleep 100");
    let id = make(&api, json!({"AttachStderr": true, "Cmd": ["nosuch"]}));
    let mut stream = api.hijack(&format!("/exec/{id}/start"), &json!({}));
    let (_, err) = stream.frames();
    assert!(err.contains("nosuch"), "{err}");
    assert_eq!(api.get(&format!("/exec/{id}/json")).json()["ExitCode"], 127);
    api.post_json("/containers/none/exec", &json!({"Cmd": ["true"]}))
        .expect(404);
    api.get("/exec/none/json").expect(404);
    api.berth(&["pause", "web"]).ok();
    api.post_json("/containers/web/exec", &json!({"Cmd": ["true"]}))
        .expect(409);
    api.berth(&["unpause", "web"]).ok();
    api.berth(&["stop", "-t", "0", "web"]).ok();
    api.post_json("/containers/web/exec", &json!({"Cmd": ["true"]}))
        .expect(409);
}
