//! The options that `run` and `create` share, and the [`CreateRequest`] that they amount to.

use std::collections::BTreeSet;
use std::path::PathBuf;

use berth_engine::request::{CreateRequest, PullPolicy};
use berth_oci::Platform;
use clap::ArgAction::Append;

use crate::opts::{self, env, mount, security};
use crate::ui::diagnostic::Failure;

mod causes;
mod foreign;
mod life;
mod limits;
mod namespaces;
mod network;
mod privileges;
mod storage;

use causes::Causes;
use foreign::ForeignOptions;
use life::LifeOptions;
use limits::LimitOptions;
use namespaces::NamespaceOptions;
use network::NetworkOptions;
use privileges::PrivilegeOptions;
use storage::StorageOptions;

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
    /// NIS domain name inside
    #[arg(long, value_name = "NAME", value_parser = security::hostname)]
    domainname: Option<String>,
    /// Set an annotation of the OCI configuration
    #[arg(long, value_name = "KEY=VALUE", value_parser = opts::annotation, action = Append)]
    annotation: Vec<(String, String)>,
    /// Set a label
    #[arg(short, long, value_name = "KEY[=VALUE]", value_parser = opts::label, action = Append)]
    label: Vec<(String, String)>,
    /// Read labels from a file
    #[arg(long, value_name = "FILE", action = Append)]
    label_file: Vec<PathBuf>,

    /// Attach to stdin, stdout or stderr only
    #[arg(short, long, value_name = "STREAM", value_parser = stream, action = Append)]
    attach: Vec<u8>,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    pub rm: bool,
    /// Write the container's id to this file
    #[arg(long, value_name = "FILE")]
    pub cidfile: Option<PathBuf>,

    #[command(flatten)]
    storage: StorageOptions,
    #[command(flatten)]
    network: NetworkOptions,
    #[command(flatten)]
    limits: LimitOptions,
    #[command(flatten)]
    privileges: PrivilegeOptions,
    #[command(flatten)]
    namespaces: NamespaceOptions,
    #[command(flatten)]
    life: LifeOptions,
    #[command(flatten)]
    foreign: ForeignOptions,

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
    /// The streams that a client attaches to (0 input, 1 output, 2 errors): those of `--attach`, or all; input
    /// when it is kept open.
    pub fn attached(&self) -> BTreeSet<u8> {
        let mut streams: BTreeSet<u8> = self.attach.iter().copied().collect();
        if streams.is_empty() {
            streams.extend([1, 2]);
        }
        streams.extend(self.interactive.then_some(0));
        streams
    }

    /// Whether `--attach` was given.
    pub fn chooses_streams(&self) -> bool {
        !self.attach.is_empty()
    }

    /// What the options ask for. `attached`: standard input ends with the client, which `-d` and `create` have not.
    ///
    /// # Errors
    /// A value that makes no sense, or a file that cannot be read.
    pub fn request(&self, attached: bool) -> Result<CreateRequest, Failure> {
        self.foreign.refuse()?;
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
            attach: if attached {
                self.attached()
            } else {
                BTreeSet::new()
            },
            auto_remove: self.rm,
            ..CreateRequest::default()
        };
        causes.switch("auto_remove", "--rm", self.rm);
        causes.switch("tty", "--tty", self.tty);
        causes.switch("stdin", "--interactive", self.interactive);
        self.process(&mut request, &mut causes)?;
        self.storage.ask(&mut request, &mut causes, &cwd)?;
        self.network.ask(&mut request, &mut causes)?;
        self.limits.ask(&mut request, &mut causes);
        self.privileges.ask(&mut request, &mut causes)?;
        self.namespaces.ask(&mut request, &mut causes);
        self.life.ask(&mut request, &mut causes)?;
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
        request.domainname = causes
            .option("domainname", "--domainname", &self.domainname)
            .unwrap_or_default();
        request.annotations = self.annotation.iter().cloned().collect();
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
}

fn bad(flag: &str, text: &str, why: String) -> Failure {
    Failure::new(why)
        .within(format!("invalid value `{text}` for `{flag}`"))
        .code(125)
}

fn stream(text: &str) -> opts::Parsed<u8> {
    match text.to_ascii_lowercase().as_str() {
        "stdin" => Ok(0),
        "stdout" => Ok(1),
        "stderr" => Ok(2),
        _ => Err(format!("`{text}` is not stdin, stdout or stderr")),
    }
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
