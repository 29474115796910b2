//! Credential helpers: programs `docker-credential-NAME` that keep logins in a place safer than a file.
//!
//! ```text
//! get    stdin: the registry           stdout: {"ServerURL": …, "Username": …, "Secret": …}
//! store  stdin: the same object
//! erase  stdin: the registry
//! ```
//! One that fails says why on standard output. The username `<token>` says that the secret is an identity token.
//! Source: github.com/docker/docker-credential-helpers, README "Development".

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::server::Server;
use super::{Login, Secret};
use crate::Error;
use crate::error::printable;
use crate::limits::{HELPER_DEADLINE, MAX_HELPER_BYTES};

/// How Docker knows a username that is none.
const TOKEN: &str = "<token>";
/// How helpers say that they have nothing, or what this begins with.
const NOT_FOUND: &str = "credentials not found";

/// A helper that was found.
pub(super) struct Helper {
    name: String,
    program: PathBuf,
    deadline: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    #[serde(rename = "ServerURL", default)]
    server: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// How a helper ended.
struct Ended {
    success: bool,
    output: Vec<u8>,
}

impl Helper {
    /// The program of the helper `name` in one of these directories.
    pub(super) fn find(name: &str, search: &[PathBuf]) -> Result<Helper, Error> {
        // The name comes from a file, and is a part of a file's name.
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let program = name
            .bytes()
            .all(plain)
            .then(|| on_path(&program_name(name), search))
            .flatten();
        match program {
            Some(program) => Ok(Helper {
                name: name.to_owned(),
                program,
                deadline: HELPER_DEADLINE,
            }),
            None => Err(Error::NoHelper {
                helper: printable(&program_name(name)),
            }),
        }
    }

    /// The login that it keeps for `server`.
    pub(super) fn get(&self, server: &Server) -> Result<Option<Login>, Error> {
        let ended = self.run("get", server.key().as_bytes(), server)?;
        if !ended.success {
            let text = String::from_utf8_lossy(&ended.output);
            if text.trim().starts_with(NOT_FOUND) {
                return Ok(None);
            }
            return Err(self.failed("get", server, printable(&text)));
        }
        let kept: Kept = berth_oci::image::parse_strict("the helper's answer", &ended.output)
            .map_err(|error| {
                // The cause of that might quote the secret.
                drop(error);
                self.failed("get", server, "its answer is not as agreed".to_owned())
            })?;
        Ok(match (kept.username.as_str(), kept.secret.as_str()) {
            (_, "") => None,
            (TOKEN, _) => Some(Login::Identity(Secret(kept.secret))),
            _ => Some(Login::Basic {
                username: kept.username,
                password: Secret(kept.secret),
            }),
        })
    }

    /// Lets it keep a login.
    pub(super) fn store(&self, server: &Server, login: &Login) -> Result<(), Error> {
        let (username, secret) = match login {
            Login::Basic { username, password } => (username.as_str(), password),
            Login::Identity(token) | Login::Bearer(token) => (TOKEN, token),
        };
        let kept = Kept {
            server: server.key().to_owned(),
            username: username.to_owned(),
            secret: secret.expose().to_owned(),
        };
        let input = serde_json::to_vec(&kept).expect("strings can be written");
        self.change("store", &input, server)
    }

    /// Lets it forget one.
    pub(super) fn erase(&self, server: &Server) -> Result<(), Error> {
        self.change("erase", server.key().as_bytes(), server)
    }

    fn change(&self, action: &'static str, input: &[u8], server: &Server) -> Result<(), Error> {
        let ended = self.run(action, input, server)?;
        let text = String::from_utf8_lossy(&ended.output);
        let absent = action == "erase" && text.trim().starts_with(NOT_FOUND);
        if ended.success || absent {
            return Ok(());
        }
        Err(self.failed(action, server, printable(&text)))
    }

    fn failed(&self, action: &'static str, server: &Server, reason: String) -> Error {
        Error::Helper {
            helper: program_name(&self.name),
            action,
            registry: server.name().to_owned(),
            reason: match reason.as_str() {
                "" => "it does not say why".to_owned(),
                _ => reason,
            },
        }
    }

    fn run(&self, action: &'static str, input: &[u8], server: &Server) -> Result<Ended, Error> {
        let io = |error: io::Error| self.failed(action, server, error.to_string());
        // Its own words and questions go to the user. It is given the user's environment: keyrings need it.
        let mut child = Command::new(&self.program)
            .arg(action)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(io)?;
        let ended = self.converse(&mut child, input);
        if ended.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(io)?;
        match ended {
            Ok(output) => Ok(Ended {
                success: status.success(),
                output,
            }),
            Err(reason) => Err(self.failed(action, server, reason)),
        }
    }

    /// Gives it `input`, takes what it says, and waits for its end.
    fn converse(&self, child: &mut Child, input: &[u8]) -> Result<Vec<u8>, String> {
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err("it has no streams".to_owned());
        };
        let (sender, receiver) = mpsc::channel();
        let input = input.to_vec();
        // A helper may leave a child behind that holds its streams: these threads are not waited for.
        std::thread::spawn(move || {
            // One that does not read what it is told says so by how it ends.
            let _ = stdin.write_all(&input);
        });
        std::thread::spawn(move || {
            let mut output = Vec::new();
            let read = stdout.take(MAX_HELPER_BYTES + 1).read_to_end(&mut output);
            let _ = sender.send(read.map(|_| output));
        });
        match receiver.recv_timeout(self.deadline) {
            Err(_) => Err(format!(
                "it did not answer for {} s",
                self.deadline.as_secs()
            )),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(output)) if output.len() as u64 > MAX_HELPER_BYTES => {
                Err("it says too much".to_owned())
            }
            Ok(Ok(output)) => self.wait(child).map(|()| output),
        }
    }

    /// Waits for the end of one that has said all.
    fn wait(&self, child: &mut Child) -> Result<(), String> {
        let end = std::time::Instant::now() + self.deadline;
        let mut pause = Duration::from_millis(1);
        while std::time::Instant::now() < end {
            match child.try_wait() {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => std::thread::sleep(pause),
                Err(error) => return Err(error.to_string()),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        Err("it does not end".to_owned())
    }
}

/// The helper that Docker takes on Linux by itself, if it is installed.
pub(super) fn installed(search: &[PathBuf]) -> Option<&'static str> {
    let name = match on_path("pass", search) {
        Some(_) => "pass",
        None => "secretservice",
    };
    on_path(&program_name(name), search).map(|_| name)
}

fn program_name(name: &str) -> String {
    format!("docker-credential-{name}")
}

fn on_path(program: &str, search: &[PathBuf]) -> Option<PathBuf> {
    let mut places = search.iter().map(|dir| dir.join(program));
    places.find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
