//! A container's own streams: attach and logs.

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::Value;
use testkit::eventually;

use crate::Api;

#[test]
fn logs_come_in_frames_with_times_tails_and_to_the_end() {
    let api = Api::start();
    let id = api.run("web", "echo one; echo two >&2; sleep 0.5; echo three");
    let all = testkit::http::open(
        api.daemon.socket(),
        "GET",
        "/containers/web/logs?stdout=1&stderr=1&follow=1",
        &[],
        b"",
    );
    let (status, mut all) = (all.status, all);
    assert_eq!(status, 200);
    let mut body = Vec::new();
    while let Some(chunk) = all.chunk() {
        body.extend(chunk);
    }
    assert_eq!(
        body.iter().filter(|byte| **byte == b'\n').count(),
        3,
        "{:?}",
        String::from_utf8_lossy(&body)
    );
    let tail = api.raw(
        "GET",
        &format!("/v1.41/containers/{id}/logs?stdout=1&tail=1&timestamps=1"),
        &[],
        b"",
    );
    assert_eq!(tail.body[0], 1);
    let text = String::from_utf8_lossy(&tail.body[8..]).into_owned();
    assert!(
        text.ends_with("Z three\n") && text.starts_with("20"),
        "{text}"
    );
    let err = api.raw("GET", "/containers/web/logs?stderr=true", &[], b"");
    assert_eq!((err.body[0], &err.body[8..]), (2, b"two\n".as_slice()));
    let none = api.raw(
        "GET",
        "/containers/web/logs?stdout=1&since=4000000000",
        &[],
        b"",
    );
    assert!(none.body.is_empty());
    api.get("/containers/web/logs").expect(400);
    api.get("/containers/none/logs?stdout=1").expect(404);
}

#[test]
fn an_attached_client_sees_all_from_the_start_on_and_feeds_it() {
    let api = Api::start();
    let create = [
        "create",
        "-i",
        "--name",
        "web",
        "busybox",
        "sh",
        "-c",
        "echo first; head -n 1; echo last >&2; exit 4",
    ];
    api.berth(&create).ok();
    let mut stream = api.hijack(
        "/containers/web/attach?stream=1&stdin=1&stdout=1&stderr=1",
        &Value::Null,
    );
    assert_eq!(stream.status, 101);
    api.post("/containers/web/start").expect(204);
    let writer = stream.stream.get_mut();
    writer.write_all(b"input\n").unwrap();
    // The end of this client's input is not the container's, which others may feed.
    writer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        stream.frames(),
        ("first\ninput\n".to_owned(), "last\n".to_owned())
    );
    assert_eq!(api.post("/containers/web/wait").json()["StatusCode"], 4);
}

#[test]
fn several_clients_attach_and_leave() {
    let api = Api::start();
    api.run("web", "while :; do echo tick; sleep 0.1; done");
    let mut streams: Vec<_> = (0..3)
        .map(|_| api.hijack("/containers/web/attach?stream=1&stdout=1", &Value::Null))
        .collect();
    for stream in &mut streams {
        let (output, bytes) = stream.frame().unwrap();
        assert_eq!((output, bytes.as_slice()), (1, b"tick\n".as_slice()));
    }
    let fds = || {
        std::fs::read_dir(format!("/proc/{}/fd", api.daemon.pid()))
            .unwrap()
            .count()
    };
    let before = fds();
    drop(streams);
    eventually("their descriptors are closed", || {
        (fds() < before).then_some(())
    });
    // With logs, also what was said before.
    let mut stream = api.hijack("/containers/web/attach?logs=1&stdout=1", &Value::Null);
    assert!(stream.frames().0.starts_with("tick\ntick\n"));
    api.post("/containers/none/attach?stream=1").expect(404);
}

/// D22, in short: clients that come and go leave nothing.
#[test]
fn clients_that_leave_a_silent_container_leave_nothing() {
    let api = Api::start();
    api.run("web", "sleep 100");
    let fds = || {
        std::fs::read_dir(format!("/proc/{}/fd", api.daemon.pid()))
            .unwrap()
            .count()
    };
    let base = fds();
    for _ in 0..100 {
        let stream = api.hijack(
            "/containers/web/attach?stream=1&stdin=1&stdout=1",
            &Value::Null,
        );
        // Beyond what the monitor takes at once it is refused; it has to take more later.
        drop(stream);
    }
    eventually("all are forgotten", || (fds() <= base + 2).then_some(()));
    eventually("there is room again", || {
        (api.hijack("/containers/web/attach?stream=1&stdout=1", &Value::Null)
            .status
            == 101)
            .then_some(())
    });
}

#[test]
fn a_terminal_is_attached_resized_and_left() {
    let api = Api::start();
    let create = ["create", "-it", "--name", "web", "busybox", "sh"];
    api.berth(&create).ok();
    let attach = "/v1.50/containers/web/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x,x";
    let mut stream = api.hijack(attach, &Value::Null);
    api.post("/containers/web/start").expect(204);
    api.post("/containers/web/resize?h=21&w=66").expect(200);
    stream
        .stream
        .get_mut()
        .write_all(b"stty size; exit $((1+1))\n")
        .unwrap();
    let mut said = String::new();
    stream.stream.read_to_string(&mut said).unwrap();
    assert!(said.contains("21 66\r\n"), "{said:?}");
    assert_eq!(api.post("/containers/web/wait").json()["StatusCode"], 2);
    api.post("/containers/web/resize?h=21&w=66").expect(409);

    api.post("/containers/web/start").expect(204);
    let mut stream = api.hijack(attach, &Value::Null);
    stream.stream.get_mut().write_all(b"\x18x").unwrap();
    stream.stream.read_to_string(&mut String::new()).unwrap();
    // Left, not ended.
    api.post("/containers/web/pause").expect(204);
    api.post("/containers/web/attach?stream=1").expect(409);
    api.post("/containers/web/unpause").expect(204);
}
