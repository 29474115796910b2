//! What users ask `inspect` for.

use berth_model::Status;

use super::*;
use crate::ui::template::Template;
use crate::view::container::tests::sample;

fn render(text: &str, status: Status) -> String {
    let layout = Layout::new("/r".into(), "/x".into());
    let value = container(&sample(status), &layout, None, Default::default());
    Template::parse(text)
        .expect("a template")
        .render(&value)
        .expect("output")
}

#[test]
fn what_dockers_users_ask_for() {
    for (text, want) in [
        (
            "{{.State.Status}} {{.State.Running}} {{.State.Pid}} {{.State.ExitCode}}",
            "running true 42 0",
        ),
        ("{{.Name}} {{.Path}} {{len .Args}}", "/web /bin/sh 2"),
        (
            "{{.HostConfig.NetworkMode}} {{.HostConfig.Memory}} {{json .HostConfig.Binds}}",
            "none 0 [\"/srv/a/long/host/path:/data:ro\"]",
        ),
        (
            "{{range .Mounts}}{{.Source}}→{{.Destination}} {{.RW}}{{end}}",
            "/srv/a/long/host/path→/data false",
        ),
        (
            "{{index .Config.Labels \"a\"}} {{.Config.StopSignal}} {{.Config.Image}}",
            "1  busybox",
        ),
        (
            "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}",
            "none",
        ),
        (
            "{{json .Config.Cmd}} {{json .Config.Volumes}}",
            "[\"-c\",\"echo \\\"hello\\u001b[2J world\\\"\"] null",
        ),
        (
            "{{.LogPath}} {{.GraphDriver.Name}}",
            "/r/containers/abababababababababababababababababababababababababababababababab/log overlay2",
        ),
    ] {
        assert_eq!(render(text, Status::Running), want, "{text}");
    }
    assert_eq!(
        render(
            "{{.State.Status}} {{.State.Pid}} {{.State.ExitCode}}",
            Status::Lost
        ),
        "exited 0 137"
    );
}
