//! `berth info`.

use crate::context;
use crate::globals::{self, Globals};
use crate::ui::human;
use crate::ui::template::{Template, Value};
use crate::verbs::{Outcome, Verb};

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
        let info = engine.info()?;
        let layout = match (info.cgroups.version, info.cgroups.hybrid) {
            (2, _) => "unified",
            (_, true) => "hybrid",
            (_, false) => "legacy",
        };
        let run_dir = engine.layout().run_dir().to_string_lossy().into_owned();
        let mut fields = match Value::of(&berth_docker::info(&info, &engine)) {
            Value::Struct(fields) => fields,
            _ => Vec::new(),
        };
        // What Docker has no field for.
        fields.extend([
            ("CgroupLayout".to_owned(), layout.into()),
            ("RunDir".to_owned(), run_dir.into()),
            ("Rootless".to_owned(), globals::rootless().into()),
        ]);
        let out = match self.format.as_deref() {
            None => {
                let memory = human::size_binary(info.memory_bytes);
                fields.push(("Memory".to_owned(), memory.into()));
                Template::parse(PLAIN)?.render(&Value::Struct(fields))?
            }
            Some("json") => {
                serde_json::to_string(&Value::Struct(fields)).unwrap_or_default() + "\n"
            }
            Some(format) => Template::parse(format)?.render(&Value::Struct(fields))? + "\n",
        };
        super::print(&out)?;
        Ok(0)
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
