//! `berth info`.

use std::collections::BTreeSet;

use berth_model::Status;

use crate::context;
use crate::globals::{self, Globals};
use crate::ui::human;
use crate::ui::template::{Template, Value};
use crate::verbs::{Outcome, Verb};
use crate::view::DRIVER;

/// Show what the engine works with
#[derive(Debug, clap::Args)]
pub struct Info {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Verb for Info {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let all = engine.list()?;
        let count = |test: fn(&Status) -> bool| all.iter().filter(|one| test(&one.status)).count();
        let images: BTreeSet<_> = engine.images()?.into_iter().map(|row| row.id).collect();
        let rootless = globals::rootless();
        let uname = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let memory = rustix::system::sysinfo();
        let bytes = u64::from(memory.mem_unit).saturating_mul(memory.totalram);
        let int = |number: usize| Value::Int(number as i128);
        let mut security: Vec<Value> = vec![
            "name=seccomp,profile=builtin".into(),
            "name=cgroupns".into(),
        ];
        if rootless {
            security.push("name=rootless".into());
        }
        let layout = cgroup_layout();
        let value = Value::fields([
            ("Containers", int(all.len())),
            (
                "ContainersRunning",
                int(count(|s| s.is_up() && *s != Status::Paused)),
            ),
            ("ContainersPaused", int(count(|s| *s == Status::Paused))),
            ("ContainersStopped", int(count(|s| !s.is_up()))),
            ("Images", int(images.len())),
            ("Driver", DRIVER.into()),
            ("LoggingDriver", "json-file".into()),
            ("CgroupDriver", "cgroupfs".into()),
            ("CgroupVersion", layout.0.into()),
            ("CgroupLayout", layout.1.into()),
            ("KernelVersion", text(uname.release()).into()),
            ("OSType", "linux".into()),
            ("Architecture", text(uname.machine()).into()),
            (
                "NCPU",
                int(std::thread::available_parallelism().map_or(1, usize::from)),
            ),
            ("MemTotal", Value::Int(bytes.into())),
            ("Name", text(uname.nodename()).into()),
            (
                "DockerRootDir",
                engine.layout().root().to_string_lossy().into_owned().into(),
            ),
            (
                "RunDir",
                engine
                    .layout()
                    .run_dir()
                    .to_string_lossy()
                    .into_owned()
                    .into(),
            ),
            ("SecurityOptions", Value::List(security)),
            ("Rootless", rootless.into()),
            ("DefaultRuntime", "berth-runtime".into()),
            ("ServerVersion", env!("CARGO_PKG_VERSION").into()),
        ]);
        let out = match self.format.as_deref() {
            None => Template::parse(PLAIN)?.render(&with_memory(value, bytes))?,
            Some("json") => serde_json::to_string(&value).unwrap_or_default() + "\n",
            Some(format) => Template::parse(format)?.render(&value)? + "\n",
        };
        super::print(&out)?;
        Ok(0)
    }
}

fn with_memory(value: Value, bytes: u64) -> Value {
    match value {
        Value::Struct(mut fields) => {
            fields.push(("Memory".into(), human::size_binary(bytes).into()));
            Value::Struct(fields)
        }
        other => other,
    }
}

const PLAIN: &str = "\
Engine: berth (no daemon)
 Containers: {{.Containers}}
  Running: {{.ContainersRunning}}
  Paused: {{.ContainersPaused}}
  Stopped: {{.ContainersStopped}}
 Images: {{.Images}}
 Version: {{.ServerVersion}}
 Storage Driver: {{.Driver}}
 Logging Driver: {{.LoggingDriver}}
 Cgroup Driver: {{.CgroupDriver}}
 Cgroup Version: {{.CgroupVersion}} ({{.CgroupLayout}})
 Default Runtime: {{.DefaultRuntime}}
 Security Options:
{{range .SecurityOptions}}  {{.}}
{{end}} Rootless: {{.Rootless}}
 Kernel Version: {{.KernelVersion}}
 OSType: {{.OSType}}
 Architecture: {{.Architecture}}
 CPUs: {{.NCPU}}
 Total Memory: {{.Memory}}
 Name: {{.Name}}
 Root Dir: {{.DockerRootDir}}
 Run Dir: {{.RunDir}}
";

/// Docker's version number, and the layout in words. Source: cgroups(7).
fn cgroup_layout() -> (&'static str, &'static str) {
    let has = |path: &str| std::path::Path::new(path).exists();
    match (
        has("/sys/fs/cgroup/cgroup.controllers"),
        has("/sys/fs/cgroup/unified/cgroup.controllers"),
    ) {
        (true, _) => ("2", "unified"),
        (false, true) => ("1", "hybrid"),
        (false, false) => ("1", "legacy"),
    }
}
