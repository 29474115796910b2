//! `berth compose config`: the project as it is understood.

use std::io::Write as _;
use std::path::PathBuf;

use berth_compose::{Loaded, emit, hash};

use crate::cmd;
use crate::cmd::unfinished::Unfinished;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Check a project's files, and print what they come to
#[derive(Debug, clap::Args)]
pub struct Config {
    /// yaml or json
    #[arg(long, value_name = "FORMAT", default_value = "yaml", value_parser = ["yaml", "json"], hide_possible_values = true)]
    format: String,
    /// Only names of services, one a line
    #[arg(long, group = "list")]
    services: bool,
    /// Only names of volumes, one a line
    #[arg(long, group = "list")]
    volumes: bool,
    /// Only names of networks, one a line
    #[arg(long, group = "list")]
    networks: bool,
    /// Only names of images, one a line
    #[arg(long, group = "list")]
    images: bool,
    /// Only names of profiles, one a line
    #[arg(long, group = "list")]
    profiles: bool,
    /// Only the hashes of services' settings: of this one, of several with commas between them, or `*`
    #[arg(long, value_name = "SERVICE", group = "list")]
    hash: Option<String>,
    /// Print nothing: only check
    #[arg(short, long)]
    quiet: bool,
    /// Leave variables as they are
    #[arg(long)]
    no_interpolate: bool,
    /// Add nothing that is implied: names, the default network, dependencies
    #[arg(long)]
    no_normalize: bool,
    /// Leave variables of services to their files
    #[arg(long)]
    no_env_resolution: bool,
    /// Do not check what refers to what
    #[arg(long)]
    no_consistency: bool,
    /// Write this file, not standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// These services, and what they depend on
    #[arg(value_name = "SERVICE")]
    service: Vec<String>,
}

impl Verb for Config {
    fn run(self, globals: &Globals) -> Outcome {
        let loaded = super::load(globals, |options| {
            options.services.clone_from(&self.service);
            options.interpolate = !self.no_interpolate;
            options.normalize = !self.no_normalize;
            options.check = !self.no_consistency && options.normalize && options.interpolate;
            options.resolve_environment = !self.no_env_resolution && options.interpolate;
        })?;
        let text = self.text(loaded)?;
        match &self.output {
            _ if self.quiet => {}
            None => cmd::print(&text)?,
            Some(path) => {
                let (unfinished, mut file) = Unfinished::beside(path)?;
                file.write_all(text.as_bytes())
                    .map_err(|error| unfinished.failed(&error))?;
                unfinished.finish()?;
            }
        }
        Ok(0)
    }
}

impl Config {
    fn text(&self, mut loaded: Loaded) -> Result<String, Failure> {
        for (wanted, section) in [
            (self.services, "services"),
            (self.volumes, "volumes"),
            (self.networks, "networks"),
        ] {
            if wanted {
                return Ok(lines(loaded.tree.keys(section)));
            }
        }
        if self.profiles {
            return Ok(lines(loaded.profiles.iter().map(String::as_str)));
        }
        if self.images {
            return Ok(lines(loaded.images().iter().map(String::as_str)));
        }
        if let Some(names) = &self.hash {
            return hashes(&loaded, names);
        }
        if !self.no_interpolate {
            // What is printed is a compose file again.
            loaded.tree.escape_dollars();
        }
        Ok(match self.format.as_str() {
            "json" => emit::to_json(&loaded.tree),
            _ => emit::to_yaml(&loaded.tree),
        })
    }
}

fn hashes(loaded: &Loaded, names: &str) -> Result<String, Failure> {
    let all = || loaded.tree.keys("services").map(str::to_owned).collect();
    let names: Vec<String> = match names {
        "*" => all(),
        names => names.split(',').map(str::to_owned).collect(),
    };
    let mut out = String::new();
    for name in names {
        let Some(hash) = hash::service(&loaded.tree, &name) else {
            return Err(Failure::new(format!("no such service: {name}")));
        };
        out.push_str(&format!("{name} {hash}\n"));
    }
    Ok(out)
}

fn lines<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("{name}\n")).collect()
}
