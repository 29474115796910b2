//! `berth version`.

use berth_oci::Platform;

use crate::globals::Globals;
use crate::ui::template::{Template, Value};
use crate::verbs::{Outcome, Verb};

/// Show the versions of berth and its parts
#[derive(Debug, clap::Args)]
pub struct Version {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Verb for Version {
    fn run(self, _: &Globals) -> Outcome {
        let text = match self.format.as_deref() {
            None => Template::parse(PLAIN)?.render(&report())?,
            Some("json") => serde_json::to_string(&report()).unwrap_or_default() + "\n",
            Some(format) => Template::parse(format)?.render(&report())? + "\n",
        };
        super::print(&text)?;
        Ok(0)
    }
}

fn report() -> Value {
    let host = Platform::host();
    let kernel = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let part = Value::fields([
        ("Version", env!("CARGO_PKG_VERSION").into()),
        ("ApiVersion", berth_docker::MAX.to_string().into()),
        ("Os", host.os.into()),
        ("Arch", host.architecture.into()),
        ("KernelVersion", kernel.into()),
    ]);
    Value::fields([("Client", part.clone()), ("Server", part)])
}

const PLAIN: &str = "\
Client: berth
 Version:           {{.Client.Version}}
 API version:       {{.Client.ApiVersion}}
 OS/Arch:           {{.Client.Os}}/{{.Client.Arch}}

Engine: berth (in the same process)
 Version:          {{.Server.Version}}
 API version:      {{.Server.ApiVersion}}
 OS/Arch:          {{.Server.Os}}/{{.Server.Arch}}
 Kernel version:   {{.Server.KernelVersion}}
";
