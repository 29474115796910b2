//! `berth version`.

use serde::Serialize;

use crate::globals::Globals;
use crate::ui::template::{self, Template};
use crate::verbs::{Outcome, Verb};

/// The Docker API whose shapes the output follows.
const API_VERSION: &str = "1.41";

/// Show the versions of berth and its parts
#[derive(Debug, clap::Args)]
pub struct Version {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    client: Part,
    server: Part,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    version: &'static str,
    api_version: &'static str,
    os: &'static str,
    arch: &'static str,
    kernel_version: String,
}

impl Verb for Version {
    fn run(self, _: &Globals) -> Outcome {
        let report = report();
        let text = match self.format.as_deref() {
            None => plain(&report),
            Some("json") => serde_json::to_string(&report).unwrap_or_default() + "\n",
            Some(format) => Template::parse(format)?.render(&template::to_value(&report)?)? + "\n",
        };
        super::print(&text)?;
        Ok(0)
    }
}

fn report() -> Report {
    let part = || Part {
        version: env!("CARGO_PKG_VERSION"),
        api_version: API_VERSION,
        os: "linux",
        arch: arch(),
        kernel_version: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
    };
    Report {
        client: part(),
        server: part(),
    }
}

/// Go's name of the machine's architecture.
pub fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn plain(report: &Report) -> String {
    let (client, server) = (&report.client, &report.server);
    format!(
        "Client: berth\n Version:           {}\n API version:       {}\n OS/Arch:           {}/{}\n\n\
         Engine: berth (in the same process)\n Version:          {}\n API version:      {}\n OS/Arch:          {}/{}\n Kernel version:   {}\n",
        client.version,
        client.api_version,
        client.os,
        client.arch,
        server.version,
        server.api_version,
        server.os,
        server.arch,
        server.kernel_version,
    )
}
