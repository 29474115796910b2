//! Options before the verb: where the state is, and what else holds for every verb.
//! Only here is the environment read for them; the engine is told.

use std::path::PathBuf;

/// Options before the verb.
#[derive(Debug, Clone, clap::Args)]
pub struct Globals {
    /// Directory of images and containers
    #[arg(long, value_name = "DIR", env = "BERTH_ROOT", hide_env_values = true)]
    pub root: Option<PathBuf>,

    /// Directory of what runs now; emptied by a reboot
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_RUN_DIR",
        hide_env_values = true
    )]
    pub run_dir: Option<PathBuf>,

    /// Cgroup that holds the containers' cgroups
    #[arg(
        long,
        value_name = "PATH",
        env = "BERTH_CGROUP_PARENT",
        hide_env_values = true
    )]
    pub cgroup_parent: Option<String>,

    /// Directory of berth-runtime and berth-monitor
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_LIBEXEC",
        hide = true,
        hide_env_values = true
    )]
    pub libexec: Option<PathBuf>,

    /// Say more about what is done, on standard error
    #[arg(short = 'D', long)]
    pub debug: bool,
}

impl Globals {
    /// `--root`, or its default.
    pub fn root_dir(&self) -> PathBuf {
        self.root.clone().unwrap_or_else(|| match rootless() {
            false => PathBuf::from("/var/lib/berth"),
            true => xdg("XDG_DATA_HOME", ".local/share").join("berth"),
        })
    }

    /// `--run-dir`, or its default.
    pub fn run_directory(&self) -> PathBuf {
        self.run_dir.clone().unwrap_or_else(|| match rootless() {
            false => PathBuf::from("/run/berth"),
            true => match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
                Some(dir) => PathBuf::from(dir).join("berth"),
                // Without a session there is none; a private place under /tmp does as well.
                None => PathBuf::from(format!(
                    "/tmp/berth-run-{}",
                    rustix::process::geteuid().as_raw()
                )),
            },
        })
    }
}

/// Whether an ordinary user called.
pub fn rootless() -> bool {
    !rustix::process::geteuid().is_root()
}

fn xdg(variable: &str, below_home: &str) -> PathBuf {
    match std::env::var_os(variable).filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => {
            PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into())).join(below_home)
        }
    }
}
