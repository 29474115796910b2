//! Rows of `ps`, states in words, filters.

use berth_docker::Filters;
use berth_docker::select::containers::{self, CONTAINERS};
use berth_model::ContainerId;
use berth_model::config::{ContainerConfig, ImageUsed, ProcessConfig};
use berth_model::status::Exit;
use berth_model::task::Pid;

use super::*;

/// A container for tests.
pub(crate) fn sample(status: Status) -> Container {
    let config = ContainerConfig {
        name: "web".into(),
        created: "2024-01-01T00:00:00.000000000Z".into(),
        image: ImageUsed {
            reference: "busybox".into(),
            manifest: format!("sha256:{}", "1".repeat(64)),
            config: format!("sha256:{}", "2".repeat(64)),
            chain: Vec::new(),
        },
        process: ProcessConfig {
            entrypoint: vec!["/bin/sh".into()],
            command: vec!["-c".into(), "echo \"hello\u{1b}[2J world\"".into()],
            env: vec!["PATH=/bin".into()],
            working_dir: "/".into(),
            ..ProcessConfig::default()
        },
        hostname: "abababababab".into(),
        labels: BTreeMap::from([("a".into(), "1".into()), ("b".into(), "x\ty".into())]),
        mounts: vec![
            crate::opts::mount::volume("/srv/a/long/host/path:/data:ro", std::path::Path::new("/"))
                .expect("a mount"),
        ],
        ..ContainerConfig::new(ContainerId::from_bytes([0xab; 32]))
    };
    let pid = Pid {
        pid: 42,
        start_time: 7,
        shim_pid: 41,
        started_at: "2024-01-01T00:00:30Z".into(),
        cgroups: Vec::new(),
    };
    Container {
        config,
        name: "web".into(),
        status,
        restarts: Default::default(),
        pid: Some(pid),
        health: None,
    }
}

fn now() -> Timestamp {
    "2024-01-01T00:02:30Z".parse().expect("a time")
}

fn exited(code: i32) -> Status {
    Status::Exited(Exit {
        code,
        oom_killed: false,
        finished_at: "2024-01-01T00:01:30Z".into(),
        error: None,
        lost: false,
    })
}

fn print(format: Option<&str>, truncate: bool) -> String {
    let rows = [row(&sample(Status::Running), now(), truncate, None, "")];
    LISTING.print(format, false, &rows).expect("a list")
}

#[test]
fn the_table_is_dockers() {
    assert_eq!(
        print(None, true),
        "CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         PORTS     NAMES\n\
         abababababab   busybox   \"/bin/sh -c 'echo \\\"h…\"   2 minutes ago   Up 2 minutes             web\n"
            .replace("COMMAND                  ", "COMMAND                   ")
    );
    assert_eq!(
        print(Some("{{.Label \"b\"}}|{{.Mounts}}|{{.Networks}}"), true),
        "x?y|/srv/a/long/ho…|none\n"
    );
    assert_eq!(
        print(Some("{{.ID}} {{.Command}}"), false),
        format!(
            "{} \"/bin/sh -c 'echo \\\"hello?[2J world\\\"'\"\n",
            "ab".repeat(32)
        )
    );
    let json = print(Some("json"), true);
    assert!(
        json.starts_with("{\"Command\":") && json.contains("\"State\":\"running\""),
        "{json}"
    );
}

#[test]
fn each_status_in_words() {
    for (state, want) in [
        (Status::Created, "Created"),
        (Status::Running, "Up 2 minutes"),
        (Status::Paused, "Up 2 minutes (Paused)"),
        (exited(3), "Exited (3) About a minute ago"),
        (Status::Lost, "Exited (137, lost)"),
    ] {
        assert_eq!(status(&sample(state), now()), want);
    }
}

#[test]
fn filters_narrow_the_list() {
    let check = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let filters = Filters::parse(&texts, CONTAINERS)?;
        containers::check(&filters).map_err(|error| error.to_string())?;
        Ok::<_, String>(containers::passes(&filters, &sample(exited(3)), &[]))
    };
    for (texts, want) in [
        (&["name=we"][..], true),
        (&["name=^web$"], true),
        (&["name=^eb"], false),
        (&["id=abab"], true),
        (&["id=bab"], false),
        (&["status=exited", "exited=3"], true),
        (&["status=running"], false),
        (&["exited=0"], false),
        (&["ancestor=busybox:latest"], true),
        (&["ancestor=docker.io/library/busybox"], true),
        (&["ancestor=22222222"], true),
        (&["ancestor=alpine"], false),
        (&["volume=/data"], true),
        (&["network=host"], false),
        (&["label=a=1", "label=b"], true),
    ] {
        assert_eq!(check(texts), Ok(want), "{texts:?}");
    }
    assert!(check(&["status=up"]).is_err() && check(&["exited=x"]).is_err());
}
