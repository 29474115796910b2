//! Debian's docker-registry on a free port of 127.0.0.1, plain or with TLS, a login, or both; its content goes
//! with it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::Finished;

/// Name and password of a registry that wants a login.
pub const LOGIN: (&str, &str) = ("user", "secret");
/// The same as a line of htpasswd (bcrypt; the salt is nobody's secret).
const HTPASSWD: &str = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// How the registry is to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// HTTPS, with a certificate of its own authority: [`Registry::authority`].
    pub tls: bool,
    /// It wants [`LOGIN`].
    pub login: bool,
    /// With `tls`: it wants a certificate of its own authority, such as [`Registry::identity`].
    pub certificates: bool,
    /// It deletes what it is told to.
    pub delete: bool,
}

/// The registry; it is killed when dropped.
pub struct Registry {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
    options: Options,
}

impl Registry {
    /// As `options` say.
    ///
    /// # Panics
    /// When docker-registry (or openssl, for TLS) is not installed or does not start.
    pub fn start(options: Options) -> Registry {
        let directory = tempfile::Builder::new()
            .prefix("berth-registry.")
            .tempdir()
            .expect("a temporary directory");
        let config = configure(directory.path(), options);
        let mut child = Command::new("docker-registry")
            .args(["serve", &config.to_string_lossy()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is installed");
        let port = listening(&mut child);
        Registry {
            child,
            directory,
            port,
            options,
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate authority's file, of a registry with TLS.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A client's certificate and its key, of a registry with TLS.
    pub fn identity(&self) -> (PathBuf, PathBuf) {
        let at = |name| self.directory.path().join(name);
        (at("client.pem"), at("client.key"))
    }

    /// Where it keeps its content.
    pub fn storage(&self) -> PathBuf {
        self.directory.path().join("storage")
    }

    /// Copies an image into it with skopeo: `from` as skopeo names it, `to` as `repository:tag`.
    ///
    /// # Panics
    /// When skopeo is not installed or fails.
    pub fn push(&self, from: &str, to: &str, options: &[&str]) {
        let to = format!("docker://{}/{to}", self.host());
        let mut command = Command::new("skopeo");
        command
            .args(["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"])
            .args(options);
        if self.options.login {
            command.arg(format!("--dest-creds={}:{}", LOGIN.0, LOGIN.1));
        }
        Finished::run(command.args([from, &to]), b"", Duration::from_secs(120)).ok();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configure(directory: &Path, options: Options) -> PathBuf {
    let at = |name: &str| directory.join(name).display().to_string();
    let mut text = format!(
        "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: {}}}}}\n\
         http:\n  addr: 127.0.0.1:0\n",
        at("storage"),
        options.delete
    );
    if options.tls {
        certify(directory);
        let clients = match options.certificates {
            true => format!(", clientcas: [{}]", at("ca.pem")),
            false => String::new(),
        };
        text += &format!(
            "  tls: {{certificate: {}, key: {}{clients}}}\n",
            at("server.pem"),
            at("server.key")
        );
    }
    if options.login {
        std::fs::write(directory.join("htpasswd"), HTPASSWD).expect("our own directory");
        text += &format!(
            "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            at("htpasswd")
        );
    }
    let path = directory.join("config.yml");
    std::fs::write(&path, text).expect("our own directory");
    path
}

/// An authority, a certificate for 127.0.0.1 that it signed, and one for a client.
///
/// # Panics
/// When openssl is not installed.
pub fn certify(directory: &Path) {
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=berth test CA' \
            -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign' \
            -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=registry' \
            -keyout server.key -out server.csr
        printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n' > extensions
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
            -extfile extensions -out server.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=client' \
            -keyout client.key -out client.csr
        printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n' > extensions
        openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
            -extfile extensions -out client.pem";
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(directory);
    Finished::run(&mut command, b"", Duration::from_secs(60)).ok();
}

/// Waits until the registry says where it listens; its later output is thrown away.
fn listening(child: &mut Child) -> u16 {
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut output = String::new();
    while let Ok(line) = receiver.recv_timeout(Duration::from_secs(30)) {
        let port = line
            .split_once("listening on 127.0.0.1:")
            .map(|(_, rest)| rest);
        let digits = port.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        if let Some(port) = digits.flatten().and_then(|digits| digits.parse().ok()) {
            return port;
        }
        output += &line;
        output.push('\n');
    }
    let _ = child.kill();
    panic!("docker-registry does not listen:\n{output}");
}
