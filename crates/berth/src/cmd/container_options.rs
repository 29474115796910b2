//! The options that `run` and `create` share, and the [`CreateRequest`] that they amount to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use berth_engine::request::{CreateRequest, PullPolicy};
use berth_model::config::{MountConfig, MountKind, NetworkMode};
use berth_model::signal;
use berth_oci::Platform;
use clap::ArgAction::Append;

use crate::opts::{self, Asked, asked, env, mount, number, security, ulimit};
use crate::ui::diagnostic::Failure;

/// When to pull, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pull {
    /// Look in the registry every time
    Always,
    /// Only when the image is not here
    Missing,
    /// Never
    Never,
}

/// What a container is made of
#[derive(Debug, clap::Args)]
pub struct ContainerOptions {
    /// Name of the container
    #[arg(long, value_parser = name)]
    name: Option<String>,
    /// Set a variable; a name alone takes the caller's value
    #[arg(short, long, value_name = "NAME[=VALUE]", action = Append)]
    env: Vec<String>,
    /// Read variables from a file
    #[arg(long, value_name = "FILE", action = Append)]
    env_file: Vec<PathBuf>,
    /// Working directory inside
    #[arg(short, long, value_name = "DIR", value_parser = mount::clean)]
    workdir: Option<String>,
    /// User (and group), by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Replace the image's entrypoint
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Host name inside
    #[arg(short = 'h', long, value_name = "NAME", value_parser = security::hostname)]
    hostname: Option<String>,
    /// Set a label
    #[arg(short, long, value_name = "KEY[=VALUE]", value_parser = opts::label, action = Append)]
    label: Vec<(String, String)>,
    /// Read labels from a file
    #[arg(long, value_name = "FILE", action = Append)]
    label_file: Vec<PathBuf>,

    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    pub rm: bool,
    /// Run a small init as process 1, which forwards signals and reaps orphans
    #[arg(long)]
    init: bool,
    /// Signal that stops the container
    #[arg(long, value_name = "SIGNAL", value_parser = asked(signal::parse))]
    stop_signal: Option<Asked<i32>>,
    /// Seconds that `stop` waits before it kills
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<i32>,
    /// Write the container's id to this file
    #[arg(long, value_name = "FILE")]
    pub cidfile: Option<PathBuf>,

    /// Mount a host directory or a volume
    #[arg(short, long, value_name = "[SOURCE:]DESTINATION[:OPTIONS]", action = Append)]
    volume: Vec<String>,
    /// Mount something (type=bind|volume|tmpfs,source=…,target=…[,readonly])
    #[arg(long, value_name = "SPEC", action = Append)]
    mount: Vec<String>,
    /// Mount an empty file system in memory
    #[arg(long, value_name = "DESTINATION[:OPTIONS]", action = Append)]
    tmpfs: Vec<String>,
    /// Make the root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE", value_parser = asked(number::bytes))]
    shm_size: Option<Asked<u64>>,

    /// Network: none or host
    #[arg(long, visible_alias = "net", value_name = "NETWORK", value_parser = asked(security::network))]
    network: Option<Asked<NetworkMode>>,

    /// Limit of memory
    #[arg(short, long, value_name = "SIZE", value_parser = asked(number::memory))]
    memory: Option<Asked<u64>>,
    /// Number of CPUs
    #[arg(long, value_name = "NUMBER", value_parser = asked(number::nano_cpus))]
    cpus: Option<Asked<u64>>,
    /// Limit of processes and threads (-1: none)
    #[arg(long, value_name = "NUMBER", value_parser = asked(number::pids), allow_hyphen_values = true)]
    pids_limit: Option<Asked<i64>>,
    /// Resource limit of processes
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = asked(ulimit::parse), action = Append)]
    ulimit: Vec<Asked<(String, (u64, u64))>>,
    /// Cgroup that holds the container's cgroup
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,

    /// Give all privileges
    #[arg(long)]
    privileged: bool,
    /// Add a capability
    #[arg(long, value_name = "CAPABILITY", value_parser = asked(opts::capability), action = Append)]
    cap_add: Vec<Asked<String>>,
    /// Drop a capability
    #[arg(long, value_name = "CAPABILITY", value_parser = asked(opts::capability), action = Append)]
    cap_drop: Vec<Asked<String>>,
    /// no-new-privileges, seccomp=FILE, seccomp=unconfined
    #[arg(long, value_name = "OPTION", action = Append)]
    security_opt: Vec<String>,

    /// Log driver: json-file or none
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// Log option: max-size=SIZE, max-file=NUMBER
    #[arg(long, value_name = "KEY=VALUE", action = Append)]
    log_opt: Vec<String>,

    /// When to pull the image
    #[arg(long, value_name = "WHEN", value_enum, default_value = "missing")]
    pull: Pull,
    /// Platform of the image, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = security::platform)]
    platform: Option<Platform>,
    /// Do not show the progress of a pull
    #[arg(short, long)]
    pub quiet: bool,

    /// Image, then the command and its arguments
    #[arg(value_name = "IMAGE", required = true, num_args = 1.., trailing_var_arg = true)]
    words: Vec<String>,
}

impl ContainerOptions {
    /// What the options ask for. `attached`: standard input ends with the client, which `-d` and `create` have not.
    ///
    /// # Errors
    /// A value that makes no sense, or a file that cannot be read.
    pub fn request(&self, attached: bool) -> Result<CreateRequest, Failure> {
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let mut causes = Causes::default();
        let mut request = CreateRequest {
            image: self.words[0].clone(),
            name: self.name.clone(),
            platform: self.platform.clone(),
            pull: match self.pull {
                Pull::Always => PullPolicy::Always,
                Pull::Missing => PullPolicy::Missing,
                Pull::Never => PullPolicy::Never,
            },
            tty: self.tty,
            stdin: self.interactive,
            stdin_once: self.interactive && attached,
            auto_remove: self.rm,
            ..CreateRequest::default()
        };
        self.process(&mut request, &mut causes)?;
        self.mounts(&mut request, &mut causes, &cwd)?;
        self.limits(&mut request, &mut causes);
        self.privileges(&mut request, &mut causes)?;
        self.rest(&mut request, &mut causes)?;
        request.causes = causes.0;
        Ok(request)
    }

    fn process(&self, request: &mut CreateRequest, causes: &mut Causes) -> Result<(), Failure> {
        if let [_, command @ ..] = &self.words[..]
            && !command.is_empty()
        {
            request.command = Some(command.to_vec());
            causes.add("command", command.join(" "));
        }
        if let Some(entrypoint) = &self.entrypoint {
            let words = if entrypoint.is_empty() {
                Vec::new()
            } else {
                vec![entrypoint.clone()]
            };
            request.entrypoint = Some(words);
            causes.add("entrypoint", format!("--entrypoint {entrypoint}"));
        }
        for file in &self.env_file {
            let variables = opts::read(file)
                .and_then(|text| env::file(&text, &env::caller))
                .map_err(|e| bad("--env-file", &file.display().to_string(), e))?;
            variables.iter().for_each(|variable| {
                causes.env(variable, &format!("--env-file {}", file.display()))
            });
            request.env.extend(variables);
        }
        for text in &self.env {
            let variable = env::variable(text, &env::caller).map_err(|e| bad("--env", text, e))?;
            causes.env(&variable, "--env");
            request.env.push(variable);
        }
        request.working_dir = causes.option("working_dir", "--workdir", &self.workdir);
        request.user = causes.option("user", "--user", &self.user);
        request.hostname = causes.option("hostname", "--hostname", &self.hostname);
        for file in &self.label_file {
            let labels = opts::read(file)
                .and_then(|text| env::label_file(&text))
                .map_err(|e| bad("--label-file", &file.display().to_string(), e))?;
            request.labels.extend(labels);
        }
        request.labels.extend(self.label.iter().cloned());
        Ok(())
    }

    fn mounts(
        &self,
        request: &mut CreateRequest,
        causes: &mut Causes,
        cwd: &Path,
    ) -> Result<(), Failure> {
        let mut add = |flag: &str, text: &str, parsed: opts::Parsed<MountConfig>| {
            let mount = parsed.map_err(|e| bad(flag, text, e))?;
            if request
                .mounts
                .iter()
                .any(|other| other.destination == mount.destination)
            {
                return Err(Failure::usage(format!(
                    "two mounts have the destination `{}`",
                    mount.destination
                )));
            }
            causes.add(
                &format!("mounts.{}", mount.destination),
                format!("{flag} {text}"),
            );
            if flag == "--volume" && mount.kind == MountKind::Bind {
                request.make_sources.push(mount.source.clone());
            }
            request.mounts.push(mount);
            Ok(())
        };
        for text in &self.volume {
            add("--volume", text, mount::volume(text, cwd))?;
        }
        for text in &self.mount {
            add("--mount", text, mount::mount(text, cwd))?;
        }
        for text in &self.tmpfs {
            add("--tmpfs", text, mount::tmpfs(text))?;
        }
        Ok(())
    }

    fn limits(&self, request: &mut CreateRequest, causes: &mut Causes) {
        let resources = &mut request.resources;
        resources.memory_bytes = causes
            .asked("memory", "--memory", self.memory.as_ref())
            .filter(|bytes| *bytes > 0);
        resources.nano_cpus = causes.asked("cpus", "--cpus", self.cpus.as_ref());
        resources.pids = causes.asked("pids", "--pids-limit", self.pids_limit.as_ref());
        resources.shm_bytes = causes.asked("shm", "--shm-size", self.shm_size.as_ref());
        for asked in &self.ulimit {
            let (name, limits) = &asked.value;
            causes.add(&format!("ulimits.{name}"), format!("--ulimit {asked}"));
            resources.ulimits.insert(name.clone(), *limits);
        }
        resources.cgroup_parent =
            causes.option("cgroup_parent", "--cgroup-parent", &self.cgroup_parent);
    }

    fn privileges(&self, request: &mut CreateRequest, causes: &mut Causes) -> Result<(), Failure> {
        let wanted = &mut request.security;
        wanted.privileged = self.privileged;
        if self.privileged {
            causes.add("privileged", "--privileged".into());
        }
        for (flag, list, into) in [
            ("--cap-add", &self.cap_add, &mut wanted.cap_add),
            ("--cap-drop", &self.cap_drop, &mut wanted.cap_drop),
        ] {
            for cap in list {
                causes.add(
                    &format!("capabilities.{}", cap.value),
                    format!("{flag} {cap}"),
                );
                into.push(cap.value.clone());
            }
        }
        for text in &self.security_opt {
            security::security(text, wanted).map_err(|e| bad("--security-opt", text, e))?;
            let setting = if text.starts_with("seccomp") {
                "seccomp"
            } else {
                "no_new_privileges"
            };
            causes.add(setting, format!("--security-opt {text}"));
        }
        Ok(())
    }

    fn rest(&self, request: &mut CreateRequest, causes: &mut Causes) -> Result<(), Failure> {
        request.network = causes.asked("network", "--network", self.network.as_ref());
        request.read_only = causes.switch("read_only", "--read-only", self.read_only);
        request.init = causes.switch("init", "--init", self.init);
        causes.switch("auto_remove", "--rm", self.rm);
        causes.switch("tty", "--tty", self.tty);
        causes.switch("stdin", "--interactive", self.interactive);
        request.stop_signal =
            causes.asked("stop_signal", "--stop-signal", self.stop_signal.as_ref());
        request.stop_timeout_s =
            causes.option("stop_timeout", "--stop-timeout", &self.stop_timeout);
        request.log = security::log(self.log_driver.as_deref(), &self.log_opt)
            .map_err(|e| bad("--log-opt", &self.log_opt.join(" "), e))?;
        if request.log.is_some() {
            causes.add("log", "--log-driver, --log-opt".into());
        }
        Ok(())
    }
}

/// By setting, the text that asked for it.
#[derive(Default)]
struct Causes(BTreeMap<String, String>);

impl Causes {
    fn add(&mut self, setting: &str, text: String) {
        self.0.insert(setting.to_owned(), text);
    }

    /// The value may be a secret: only the name is told.
    fn env(&mut self, variable: &str, flag: &str) {
        let name = variable.split('=').next().unwrap_or_default();
        self.add(&format!("env.{name}"), format!("{flag} {name}"));
    }

    fn asked<T: Clone>(
        &mut self,
        setting: &str,
        flag: &str,
        asked: Option<&Asked<T>>,
    ) -> Option<T> {
        let asked = asked?;
        self.add(setting, format!("{flag} {asked}"));
        Some(asked.value.clone())
    }

    fn option<T: Clone + std::fmt::Display>(
        &mut self,
        setting: &str,
        flag: &str,
        value: &Option<T>,
    ) -> Option<T> {
        if let Some(value) = value {
            self.add(setting, format!("{flag} {value}"));
        }
        value.clone()
    }

    fn switch(&mut self, setting: &str, flag: &str, on: bool) -> bool {
        if on {
            self.add(setting, flag.to_owned());
        }
        on
    }
}

fn bad(flag: &str, text: &str, why: String) -> Failure {
    Failure::usage(why)
        .within(format!("invalid value `{text}` for `{flag}`"))
        .code(125)
}

fn name(text: &str) -> opts::Parsed<String> {
    // Docker's API knows the name with a slash before it.
    let name = text.strip_prefix('/').unwrap_or(text);
    if berth_model::id::valid_name(name) {
        return Ok(name.to_owned());
    }
    Err(format!(
        "`{text}` is not a name: [a-zA-Z0-9][a-zA-Z0-9_.-]+"
    ))
}

#[cfg(test)]
mod tests;
