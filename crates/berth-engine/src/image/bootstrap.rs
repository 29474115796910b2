//! `image bootstrap`: base images without any registry, from Debian's packages.
//!
//! The same package versions give the same image: entries are in a fixed order, owners and modes are
//! the packages', nothing is younger than the packages, and what a machine or a moment leaves behind
//! (logs, caches, ids) is left out.

mod busybox;
mod debian;
mod rewrite;
mod sources;

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use berth_oci::image::{History, RunConfig};
use berth_oci::{ImageConfig, Platform};

use super::error::{Output, store};
use super::import::timestamp;
use super::layer::{MadeLayer, one_layer_image};
use super::{Error, Loaded, new_name};
use crate::Engine;

/// How to bootstrap.
#[derive(Debug, Clone, Default)]
pub struct BootstrapOptions {
    /// The image's name; `None`: the recipe's, so `busybox:latest` or `debian:SUITE`.
    pub name: Option<String>,
    /// Nothing in the image is younger, in seconds since 1970 (`SOURCE_DATE_EPOCH`); `None`: the
    /// newest package.
    pub epoch_s: Option<i64>,
    /// mmdebstrap's variant (`minbase`, `essential`, `apt`, …); `None`: `minbase`.
    pub variant: Option<String>,
}

/// What a recipe makes.
struct Made {
    layer: MadeLayer,
    epoch_s: i64,
    config: RunConfig,
    created_by: String,
}

impl Engine {
    /// Makes the image `busybox` or `debian:SUITE`.
    ///
    /// # Errors
    /// [`Error::NoRecipe`], [`Error::Program`], [`Error::ProgramFailed`], …; then nothing is visible.
    pub fn bootstrap_image(
        &self,
        recipe: &str,
        options: &BootstrapOptions,
    ) -> Result<Loaded, Error> {
        // `None`: busybox.
        let suite = match recipe.split_once(':') {
            None if recipe == "busybox" => None,
            Some(("debian", suite)) => Some(suite),
            _ => {
                return Err(Error::NoRecipe {
                    text: recipe.to_owned(),
                });
            }
        };
        let name = new_name(options.name.as_deref().unwrap_or(recipe))?;
        let lease = self.store.lease().map_err(store("hold the image"))?;
        let made = match suite {
            Some(suite) => debian::make(self, &lease, suite, options)?,
            None => busybox::make(self, &lease, options)?,
        };
        let created = timestamp(made.epoch_s);
        let platform = Platform::host();
        let config = ImageConfig {
            created: Some(created.clone()),
            architecture: platform.architecture,
            os: platform.os,
            variant: platform.variant,
            config: made.config,
            history: vec![History {
                created: Some(created),
                created_by: made.created_by,
                ..History::default()
            }],
            ..ImageConfig::default()
        };
        let descriptor = one_layer_image(&lease, made.layer, config)?;
        self.admit(descriptor, vec![name])
    }
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The defaults of the image's containers.
fn run_config(shell: &str) -> RunConfig {
    RunConfig {
        env: vec![PATH.to_owned()],
        cmd: Some(vec![shell.to_owned()]),
        ..RunConfig::default()
    }
}

/// A program with a plain locale, its input closed and the clock its own.
fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .env("LC_ALL", "C")
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null());
    command
}

/// Runs a program for its standard output.
fn output(command: &mut Command) -> Result<Vec<u8>, Error> {
    let name = program_name(command.get_program());
    let output = command.output().map_err(|source| Error::Program {
        program: name.clone(),
        source,
    })?;
    if !output.status.success() {
        return Err(failed(name, output.status, &output.stderr));
    }
    Ok(output.stdout)
}

fn failed(program: String, status: std::process::ExitStatus, stderr: &[u8]) -> Error {
    const LINES: usize = 12;
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
    Error::ProgramFailed {
        program,
        status: status.to_string(),
        source: Output(last),
    }
}

fn program_name(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}
