//! `berth inspect`: containers, in Docker's JSON.

use berth_engine::{Container, Engine};
use berth_oci::Platform;
use serde::Serialize;

use crate::context;
use crate::globals::Globals;
use crate::opts::security;
use crate::ui::diagnostic::Failure;
use crate::ui::template::{Template, Value};
use crate::verbs::{Outcome, Verb};
use crate::view;

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Containers only
    Container,
    /// Images only
    Image,
}

/// Show all that is known of containers and images
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Look for this only
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    kind: Option<Kind>,
    /// Show what a container has written, and with its image
    #[arg(short, long)]
    size: bool,
    /// Containers or images, by name or id
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Verb for Inspect {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        print_all(&self.names, self.format.as_deref(), |name| {
            look(&engine, name, self.kind, self.size)
        })
    }
}

/// Prints what `look` finds, as an array or by a template; what is not found is told, and makes the exit code 1.
pub fn print_all(
    names: &[String],
    format: Option<&str>,
    look: impl Fn(&str) -> Result<Value, Failure>,
) -> Outcome {
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for name in names {
        match look(name) {
            Ok(value) => found.push(value),
            Err(failure) => failures.push(failure),
        }
    }
    let text = match format {
        None => pretty(&found)?,
        Some("json") => serde_json::to_string(&found).map_err(|e| Failure::of(&e))? + "\n",
        Some(text) => {
            let template = Template::parse(text)?;
            let mut out = String::new();
            for value in &found {
                out.push_str(&template.render(value)?);
                out.push('\n');
            }
            out
        }
    };
    super::print(&text)?;
    failures
        .iter()
        .for_each(|failure| super::note(&failure.to_string()));
    Ok(u8::from(!failures.is_empty()))
}

/// JSON with docker's four spaces.
fn pretty(values: &[Value]) -> Result<String, Failure> {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    values
        .serialize(&mut serializer)
        .map_err(|error| Failure::of(&error))?;
    Ok(String::from_utf8_lossy(&out).into_owned() + "\n")
}

/// A container of that name goes before an image.
fn look(engine: &Engine, name: &str, kind: Option<Kind>, size: bool) -> Result<Value, Failure> {
    if kind != Some(Kind::Image) {
        match engine.find(name) {
            Ok(id) => {
                let container = engine.inspect(&id)?;
                let sizes = size.then(|| sizes(engine, &container));
                let layout = engine.layout();
                let network = engine.network_settings(&container)?;
                return Ok(view::inspect::container(&container, layout, sizes, network));
            }
            Err(berth_engine::Error::NoContainer { .. }) if kind.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    match engine.image_details(name) {
        Ok(details) => Ok(view::image::inspect(&details)),
        Err(berth_engine::image::Error::NoImage { .. }) if kind.is_none() => {
            Err(Failure::new(format!("no such container or image: {name}"))
                .hint("`berth ps -a` and `berth images` list all"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Bytes that it has written, and of its image; measuring reads whole directories.
fn sizes(engine: &Engine, container: &Container) -> (u64, u64) {
    let own = engine.writable_bytes(&container.config.id);
    (own, engine.image_bytes(container))
}

/// Show all that is known of images
#[derive(Debug, clap::Args)]
pub struct InspectImage {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Of an image for several platforms, the one for this, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = security::platform)]
    platform: Option<Platform>,
    /// Images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    names: Vec<String>,
}

impl Verb for InspectImage {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        print_all(&self.names, self.format.as_deref(), |name| {
            let details = engine.image_details_of(name, self.platform.as_ref())?;
            Ok(view::image::inspect(&details))
        })
    }
}

/// Show all that is known of containers
#[derive(Debug, clap::Args)]
pub struct InspectContainer {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show what it has written, and with its image
    #[arg(short, long)]
    size: bool,
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    names: Vec<String>,
}

impl Verb for InspectContainer {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        print_all(&self.names, self.format.as_deref(), |name| {
            look(&engine, name, Some(Kind::Container), self.size)
        })
    }
}
