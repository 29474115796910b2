//! `berth compose`: an application of many containers from one file.

pub mod config;
mod files;

use std::collections::BTreeMap;

use berth_compose::{Loaded, Options, Where};
use clap::FromArgMatches as _;

use crate::cmd;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;

/// Options between `compose` and its verb: which project is meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Project {
    /// Compose files, the later over the earlier ones; `-` is standard input
    #[arg(short, long, value_name = "FILE", action = clap::ArgAction::Append)]
    file: Vec<String>,
    /// The project's name
    #[arg(short, long, value_name = "NAME")]
    project_name: Option<String>,
    /// Take the services of this profile, too; `*` is all
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    profile: Vec<String>,
    /// Files of variables, instead of .env
    #[arg(long, value_name = "FILE", action = clap::ArgAction::Append)]
    env_file: Vec<String>,
    /// The directory that paths are relative to; by default the first compose file's
    #[arg(long, value_name = "DIR")]
    project_directory: Option<String>,
    /// Keep what no service uses
    #[arg(long)]
    all_resources: bool,
}

/// The options that were given to `compose` itself.
///
/// # Errors
/// None that clap has not told.
pub fn given(globals: &Globals) -> Result<Project, Failure> {
    match &globals.above {
        Some(matches) => {
            Project::from_arg_matches(matches).map_err(|error| Failure::new(error.to_string()))
        }
        None => Ok(Project::default()),
    }
}

/// Loads the project that is meant. `adjust` sets what the verb wants of it. Warnings are told.
///
/// # Errors
/// There is none, or it makes no sense.
pub fn load(globals: &Globals, adjust: impl FnOnce(&mut Options)) -> Result<Loaded, Failure> {
    let given = given(globals)?;
    let directory = std::env::current_dir()
        .map_err(|error| Failure::of(&error).within("cannot tell the current directory"))?;
    let directory = directory.to_string_lossy().into_owned();
    let files = files::OnDisk::default();
    let found = berth_compose::locate(
        &files,
        &Where {
            directory: directory.clone(),
            files: given.file,
            project_directory: given.project_directory,
            env_files: given.env_file,
            environment: environment(),
        },
    )?;
    let profiles = match given.profile.is_empty() {
        true => listed(found.variables.get("COMPOSE_PROFILES")),
        false => given.profile,
    };
    let mut options = Options {
        files: found.files,
        directory: found.directory,
        from: directory,
        home: std::env::var("HOME").ok().filter(|home| !home.is_empty()),
        variables: found.variables,
        name: given.project_name,
        profiles,
        all_resources: given.all_resources,
        ..Options::default()
    };
    adjust(&mut options);
    let loaded = berth_compose::load(&files, &options)?;
    for warning in found.warnings.iter().chain(&loaded.warnings) {
        cmd::note(&format!("warning: {warning}\n"));
    }
    Ok(loaded)
}

/// The caller's variables; those that are no text cannot be meant.
fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

fn listed(text: Option<&String>) -> Vec<String> {
    let words = text.into_iter().flat_map(|text| text.split(','));
    let words = words.map(|word| word.trim().to_owned());
    words.filter(|word| !word.is_empty()).collect()
}
