//! A daemon in a sandbox, and requests to it.

use serde_json::Value;
use testkit::daemon::Daemon;
use testkit::http::{self, Answer, Open};
use testkit::{Finished, Sandbox};

use crate::definition;

/// A daemon of a test's own. Its answers are checked against the definitions as they come.
pub struct Api {
    // Dropped first: the sandbox looks for what is left.
    pub daemon: Daemon,
    pub sandbox: Sandbox,
}

impl Api {
    /// With the image `busybox`.
    pub fn start() -> Api {
        Api::over(Sandbox::root().with_busybox(), &[])
    }

    /// Over this sandbox, with these options.
    pub fn over(sandbox: Sandbox, options: &[&str]) -> Api {
        Api {
            daemon: Daemon::start(&sandbox, options),
            sandbox,
        }
    }

    /// Runs `berth` over the same state.
    pub fn berth(&self, arguments: &[&str]) -> Finished {
        self.sandbox.berth(arguments)
    }

    /// Runs Debian's `docker` against the daemon.
    pub fn docker(&self, arguments: &[&str]) -> Finished {
        self.daemon.docker(&self.sandbox, arguments)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, &[], b"")
    }

    /// Without a body.
    #[track_caller]
    pub fn post(&self, path: &str) -> Answer {
        self.request("POST", path, &[], b"")
    }

    /// With a document.
    #[track_caller]
    pub fn post_json(&self, path: &str, document: &Value) -> Answer {
        let body = document.to_string();
        self.request(
            "POST",
            path,
            &[("Content-Type", "application/json")],
            body.as_bytes(),
        )
    }

    /// Any request; the answer is as Docker's definitions say.
    #[track_caller]
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let answer = self.raw(method, path, headers, body);
        let is_json = answer.header("content-type") == Some("application/json");
        if is_json && !answer.body.is_empty() {
            // What comes in lines is documents one by one.
            let documents = match serde_json::from_slice(&answer.body) {
                Ok(document) => vec![document],
                Err(_) => answer.lines(),
            };
            for document in documents {
                let wrong = definition::of(path).check(method, path, answer.status, &document);
                assert!(
                    wrong.is_empty(),
                    "{method} {path}:\n{}\nin {document:#}",
                    wrong.join("\n")
                );
            }
        }
        answer
    }

    /// Any request, and the answer as it is.
    pub fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        http::request(self.daemon.socket(), method, path, headers, body)
    }

    /// A connection that becomes a stream: `Upgrade: tcp`.
    pub fn hijack(&self, path: &str, document: &Value) -> Open {
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "tcp"),
            ("Content-Type", "application/json"),
        ];
        let body = match document.is_null() {
            true => String::new(),
            false => document.to_string(),
        };
        http::open(
            self.daemon.socket(),
            "POST",
            path,
            &headers,
            body.as_bytes(),
        )
    }

    /// A container of busybox that runs this line of shell, with `berth run -d`; its id.
    pub fn run(&self, name: &str, line: &str) -> String {
        let run = self.berth(&["run", "-d", "--name", name, "busybox", "sh", "-c", line]);
        run.ok().trim().to_owned()
    }
}

/// A text as a value in a query.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// In base64url, padded, as clients send logins.
pub fn base64url(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for part in text.as_bytes().chunks(3) {
        let bits = part
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - part.len()));
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > part.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    out
}

/// An archive of these files.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in files {
        let mut head = [0u8; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        let mut put =
            |at: usize, text: String| head[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(100, "0000644\0".to_owned());
        put(108, "0000000\0".to_owned());
        put(116, "0000000\0".to_owned());
        put(124, format!("{:011o}\0", content.len()));
        put(136, "00000000000\0".to_owned());
        put(148, " ".repeat(8));
        put(156, "0".to_owned());
        put(257, "ustar\x0000".to_owned());
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}
