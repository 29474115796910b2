//! Volume plugins: a small one of the test's own, asked by Docker's protocol.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testkit::{Sandbox, eventually};

/// A plugin that keeps its volumes as directories; its sockets go with it.
struct Plugin {
    name: String,
    asked: Arc<Mutex<Vec<String>>>,
    files: Vec<PathBuf>,
    /// Nothing is answered any more.
    hangs: Arc<Mutex<bool>>,
}

impl Plugin {
    /// Serves below `home`; found by its socket, or with `spec` by a file that says where that is.
    fn start(s: &Sandbox, spec: bool) -> Plugin {
        let mark = s
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .replace('.', "-");
        let name = format!("{mark}-{}", if spec { "spec" } else { "sock" });
        let (socket, mut files) = match spec {
            true => {
                fs::create_dir_all("/etc/docker/plugins").unwrap();
                let socket = s.home().join("plugin.sock");
                let file = PathBuf::from(format!("/etc/docker/plugins/{name}.spec"));
                fs::write(&file, format!("unix://{}\n", socket.display())).unwrap();
                (socket, vec![file])
            }
            false => {
                fs::create_dir_all("/run/docker/plugins").unwrap();
                (
                    PathBuf::from(format!("/run/docker/plugins/{name}.sock")),
                    Vec::new(),
                )
            }
        };
        let listener = UnixListener::bind(&socket).unwrap();
        files.push(socket);
        let plugin = Plugin {
            name,
            asked: Arc::default(),
            files,
            hangs: Arc::default(),
        };
        let (asked, hangs, home) = (plugin.asked.clone(), plugin.hangs.clone(), s.home());
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                match *hangs.lock().unwrap() {
                    true => held.push(stream),
                    false => answer(stream, &asked, &home),
                }
            }
        });
        plugin
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
            // Only if it is empty: the host may have plugins of its own.
            let _ = file.parent().map(fs::remove_dir);
        }
    }
}

fn answer(mut stream: UnixStream, asked: &Mutex<Vec<String>>, home: &std::path::Path) {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    let (head, body) = loop {
        let length = stream.read(&mut chunk).unwrap_or(0);
        text.extend_from_slice(&chunk[..length]);
        let request = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let wanted = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            if wanted.is_some_and(|wanted| wanted.parse() == Ok(body.len())) || length == 0 {
                break (head.to_owned(), body.to_owned());
            }
        }
    };
    let verb = head.split(['/', ' ']).nth(2).unwrap_or_default().to_owned();
    let question: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let volume = home.join(format!("kept-{}", question["Name"].as_str().unwrap_or("")));
    let mut answer = serde_json::json!({"Err": ""});
    match verb.as_str() {
        "Plugin.Activate" => answer = serde_json::json!({"Implements": ["VolumeDriver"]}),
        "VolumeDriver.Create" if question["Opts"]["fail"] == "yes" => {
            answer = serde_json::json!({"Err": "it does not please me"});
        }
        "VolumeDriver.Create" => fs::create_dir_all(&volume).unwrap(),
        "VolumeDriver.Remove" => fs::remove_dir_all(&volume).unwrap(),
        "VolumeDriver.Mount" => answer["Mountpoint"] = volume.to_str().unwrap().into(),
        _ => {}
    }
    if verb != "Plugin.Activate" {
        let name = question["Name"].as_str().unwrap_or("");
        asked.lock().unwrap().push(format!("{verb} {name}"));
    }
    // In chunks, as Go's servers do.
    let body = answer.to_string();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let _ = write!(stream, "{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
}

#[test]
fn a_plugin_keeps_volumes() {
    let s = Sandbox::root().with_busybox();
    for spec in [false, true] {
        let plugin = Plugin::start(&s, spec);
        let driver = plugin.name.as_str();
        let made = s.berth(&["volume", "create", "-d", driver, "-o", "size=big", "vol"]);
        assert_eq!(made.ok(), "vol");
        assert_eq!(plugin.asked(), ["VolumeDriver.Create vol"]);
        let refused = s.berth(&["volume", "create", "-d", driver, "-o", "fail=yes", "bad"]);
        assert!(
            refused.fails(1).contains("it does not please me"),
            "{refused}"
        );
        plugin.asked();
        let other = s.berth(&["volume", "create", "-d", "local", "vol"]);
        assert!(
            other.fails(1).contains("already exists with the"),
            "{other}"
        );
        assert_eq!(
            s.berth(&["volume", "ls", "--format", "{{.Driver}}"]).ok(),
            driver
        );

        let done = s.berth(&[
            "run",
            "--rm",
            "-v",
            "vol:/x",
            "busybox",
            "sh",
            "-c",
            "echo kept >/x/f",
        ]);
        done.ok();
        assert_eq!(
            fs::read_to_string(s.home().join("kept-vol/f")).unwrap(),
            "kept\n"
        );
        eventually("it is let go of", || {
            let asked = plugin.asked.lock().unwrap().clone();
            (asked == ["VolumeDriver.Mount vol", "VolumeDriver.Unmount vol"]).then_some(())
        });
        plugin.asked();
        // One whose container has failed to start is let go of, too.
        s.berth(&["run", "--rm", "-v", "vol:/x", "busybox", "/no/such"])
            .fails(127);
        assert_eq!(
            plugin.asked(),
            ["VolumeDriver.Mount vol", "VolumeDriver.Unmount vol"]
        );
        s.berth(&[
            "run",
            "-d",
            "--name",
            "cc",
            "--mount",
            &format!("src=by-mount,dst=/y,volume-driver={driver}"),
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
        s.berth(&["cp", "cc:/y", "out"]).ok();
        s.berth(&["rm", "-f", "cc"]).ok();
        assert_eq!(
            plugin.asked(),
            [
                "VolumeDriver.Create by-mount",
                "VolumeDriver.Mount by-mount",
                "VolumeDriver.Unmount by-mount"
            ]
        );
        // Prune is for what the host keeps.
        s.berth(&["volume", "prune", "-af"]).ok();
        s.berth(&["volume", "rm", "vol", "by-mount"]).ok();
        assert!(!s.home().join("kept-vol").exists());
        assert_eq!(s.count("volumes"), 0);
    }
}

/// N17: a plugin that does not answer keeps nobody from looking at containers and volumes.
#[test]
fn n17_a_hung_plugin_hangs_nobody_who_looks() {
    let s = Sandbox::root().with_busybox();
    let plugin = Plugin::start(&s, false);
    s.berth(&["volume", "create", "-d", &plugin.name, "vol"])
        .ok();
    s.berth(&[
        "run", "-d", "--name", "cc", "-v", "vol:/x", "busybox", "sleep", "1000",
    ])
    .ok();
    *plugin.hangs.lock().unwrap() = true;
    let mut ender = s.spawn(&["rm", "-f", "cc"]);
    let mut starter = s.spawn(&["create", "-v", "vol:/x", "--name", "dd", "busybox"]);
    for _ in 0..3 {
        for line in [
            &["ps", "-a"][..],
            &["volume", "ls"],
            &["volume", "inspect", "vol"],
            &["system", "df"],
        ] {
            let began = Instant::now();
            s.berth(line).ok();
            assert!(
                began.elapsed() < Duration::from_secs(3),
                "{line:?}: {:?}",
                began.elapsed()
            );
        }
    }
    assert!(starter.wait().unwrap().success());
    // It is removed all the same, when the patience is over.
    assert!(ender.wait().unwrap().success());
    *plugin.hangs.lock().unwrap() = false;
    s.berth(&["rm", "dd"]).ok();
    s.berth(&["volume", "rm", "vol"]).ok();
}
