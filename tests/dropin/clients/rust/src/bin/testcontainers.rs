//! testcontainers: what a test of somebody's does with a web server.

use std::error::Error;
use std::time::Duration;

use rust_clients::page;
use testcontainers::core::{ExecCommand, IntoContainerPort, Mount, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let image = std::env::args()
        .nth(1)
        .ok_or("usage: testcontainers IMAGE")?;
    let (name, tag) = image.rsplit_once(':').ok_or("no tag")?;
    let image = || GenericImage::new(name, tag);
    let container = image()
        .with_exposed_port(80.tcp())
        .with_wait_for(WaitFor::message_on_stdout("about to serve"))
        .with_cmd([
            "sh",
            "-c",
            "echo about to serve; exec httpd -f -p 80 -h /www",
        ])
        .with_copy_to("/www/index.html", b"first\n".to_vec())
        .with_env_var("COLOUR", "green")
        .with_label("of", "somebody")
        .with_mount(Mount::tmpfs_mount("/scratch"))
        .with_startup_timeout(Duration::from_secs(60))
        .start()
        .await?;
    let port = async || container.get_host_port_ipv4(80).await;
    let served = async || {
        let port = port().await?;
        for _ in 0..200 {
            match page(port) {
                Ok(body) => return Ok::<_, Box<dyn Error>>(body),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        Ok(page(port)?)
    };
    assert_eq!(served().await?, "first\n");
    let command = [
        "sh",
        "-c",
        "echo $COLOUR; echo second >/www/index.html; exit 3",
    ];
    let mut entered = container.exec(ExecCommand::new(command)).await?;
    assert_eq!(entered.stdout_to_vec().await?, b"green\n");
    assert_eq!(entered.exit_code().await?, Some(3));
    assert_eq!(served().await?, "second\n");
    container.stop().await?;
    container.start().await?;
    assert_eq!(served().await?, "second\n");
    assert_eq!(
        container.stdout_to_vec().await?,
        b"about to serve\nabout to serve\n"
    );
    container.rm().await?;

    // One that does not get ready in time is told.
    let never = image()
        .with_wait_for(WaitFor::message_on_stdout("ready"))
        .with_cmd(["sleep", "1000"])
        .with_startup_timeout(Duration::from_millis(500));
    assert!(never.start().await.is_err());
    Ok(())
}
