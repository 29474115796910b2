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
