//! bollard: a web server is pulled, run, entered, watched, committed, pushed and removed.

use std::collections::HashMap;
use std::error::Error;

use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerConfig, ContainerCreateBody, HostConfig, PortBinding};
use bollard::query_parameters as query;
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::{StreamExt, TryStreamExt};
use rust_clients::page;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, pushed] = &arguments[..] else {
        return Err("usage: bollard IMAGE PUSHED".into());
    };
    let host = std::env::var("DOCKER_HOST")?;
    let docker = Docker::connect_with_unix(&host, 60, API_DEFAULT_VERSION)?
        .negotiate_version()
        .await?;
    let options = query::CreateImageOptionsBuilder::default()
        .from_image(image)
        .build();
    let steps: Vec<_> = docker
        .create_image(Some(options), None, None)
        .try_collect()
        .await?;
    assert!(!steps.is_empty());

    let script = "mkdir -p /www; echo first >/www/index.html; echo about to serve; exec httpd -f -p 80 -h /www";
    let ports = PortBinding {
        host_ip: Some("127.0.0.1".to_owned()),
        host_port: Some("0".to_owned()),
    };
    let body = ContainerCreateBody {
        image: Some(image.clone()),
        cmd: Some(["sh", "-c", script].map(str::to_owned).to_vec()),
        labels: Some(HashMap::from([("of".to_owned(), "somebody".to_owned())])),
        exposed_ports: Some(vec!["80/tcp".to_owned()]),
        host_config: Some(HostConfig {
            port_bindings: Some(HashMap::from([("80/tcp".to_owned(), Some(vec![ports]))])),
            memory: Some(64 << 20),
            ..Default::default()
        }),
        ..Default::default()
    };
    let options = query::CreateContainerOptionsBuilder::default()
        .name("web")
        .build();
    let made = docker.create_container(Some(options), body).await?;
    docker.start_container("web", None).await?;

    let options = query::LogsOptionsBuilder::default()
        .stdout(true)
        .follow(true)
        .build();
    let first = docker
        .logs("web", Some(options))
        .next()
        .await
        .ok_or("no log")??;
    assert_eq!(first.to_string(), "about to serve\n");
    let shown = docker.inspect_container("web", None).await?;
    assert_eq!(shown.id.as_deref(), Some(&*made.id));
    let ports = shown
        .network_settings
        .and_then(|network| network.ports)
        .ok_or("no ports")?;
    let port = ports["80/tcp"]
        .as_ref()
        .and_then(|all| all[0].host_port.as_ref())
        .ok_or("no port")?
        .parse()?;
    let served = async || {
        for _ in 0..200 {
            match page(port) {
                Ok(body) => return Ok(body),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
        page(port)
    };
    assert_eq!(served().await?, "first\n");

    let exec = CreateExecOptions {
        cmd: Some(vec![
            "sh",
            "-c",
            "cat >/www/index.html; echo told >&2; exit 3",
        ]),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..Default::default()
    };
    let exec = docker.create_exec("web", exec).await?;
    let StartExecResults::Attached { output, mut input } =
        docker.start_exec(&exec.id, None).await?
    else {
        return Err("the exec is detached".into());
    };
    tokio::io::AsyncWriteExt::write_all(&mut input, b"second\n").await?;
    tokio::io::AsyncWriteExt::shutdown(&mut input).await?;
    let told: Vec<_> = output.try_collect().await?;
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<String>(),
        "told\n"
    );
    assert_eq!(docker.inspect_exec(&exec.id).await?.exit_code, Some(3));
    assert_eq!(served().await?, "second\n");

    let options = query::StatsOptionsBuilder::default()
        .stream(false)
        .one_shot(true)
        .build();
    let stats = docker
        .stats("web", Some(options))
        .next()
        .await
        .ok_or("no stats")??;
    assert_eq!(
        stats.memory_stats.and_then(|memory| memory.limit),
        Some(64 << 20)
    );
    let options = query::ListContainersOptionsBuilder::default()
        .filters(&HashMap::from([("label", vec!["of=somebody"])]))
        .build();
    assert_eq!(docker.list_containers(Some(options)).await?.len(), 1);

    let (name, tag) = pushed.rsplit_once(':').ok_or("no tag")?;
    let options = query::CommitContainerOptionsBuilder::default()
        .container("web")
        .repo(name)
        .tag(tag)
        .build();
    docker
        .commit_container(options, ContainerConfig::default())
        .await?;
    let options = query::PushImageOptionsBuilder::default().tag(tag).build();
    let steps: Vec<_> = docker
        .push_image(name, Some(options), None)
        .try_collect()
        .await?;
    assert!(!steps.is_empty());

    docker.kill_container("web", None).await?;
    let ended = docker
        .wait_container("web", None)
        .next()
        .await
        .ok_or("no end")?;
    assert!(
        matches!(
            ended,
            Err(bollard::errors::Error::DockerContainerWaitError { code: 137, .. })
        ),
        "{ended:?}"
    );
    docker.remove_container("web", None).await?;
    let gone = docker.inspect_container("web", None).await;
    assert!(matches!(
        gone,
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404,
            ..
        })
    ));
    Ok(())
}
