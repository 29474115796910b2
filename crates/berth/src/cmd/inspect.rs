//! `berth inspect`: containers, images, volumes and networks, in Docker's JSON.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

impl Kind {
    /// In the order in which a name is looked for.
    const ALL: [Kind; 4] = [Kind::Container, Kind::Image, Kind::Network, Kind::Volume];

    fn parse(text: &str) -> Result<Kind, Failure> {
        match text {
            "container" => Ok(Kind::Container),
            "image" => Ok(Kind::Image),
            "network" => Ok(Kind::Network),
            "volume" => Ok(Kind::Volume),
            _ => Err(Failure::new(format!("`{text}` is not a type"))
                .hint("there are container, image, network and volume")),
        }
    }
}

/// Show all that is known of containers, images, networks and volumes
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Look for this only: container, image, network or volume
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Show what a container has written, and with its image
    #[arg(short, long)]
    size: bool,
    /// By name or id
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Verb for Inspect {
    fn run(self, globals: &Globals) -> Outcome {
        let kind = self.kind.as_deref().map(Kind::parse).transpose()?;
        let engine = context::engine(globals)?;
        print_all(&self.names, self.format.as_deref(), |name| {
            look(&engine, name, kind, self.size)
        })
    }
}

/// Docker's exit code for a template that is none.
const NO_TEMPLATE: u8 = 64;

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
            let template = Template::parse(text);
            let template = template.map_err(|error| Failure::from(error).code(NO_TEMPLATE))?;
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

/// The first that has the name, of the wanted kind or of any.
fn look(engine: &Engine, name: &str, kind: Option<Kind>, size: bool) -> Result<Value, Failure> {
    if let Some(kind) = kind {
        return one(engine, name, kind, size).map_err(Failure::from);
    }
    for kind in Kind::ALL {
        match one(engine, name, kind, size) {
            Ok(found) => return Ok(found),
            Err(error) if error.is_absence() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(format!("no such object: {name}"))
        .hint("`berth ps -a`, `berth images`, `berth network ls` and `berth volume ls` list all"))
}

fn one(engine: &Engine, name: &str, kind: Kind, size: bool) -> Result<Value, Missed> {
    Ok(match kind {
        Kind::Container => {
            let container = engine.inspect(&engine.find(name)?)?;
            let sizes = size.then(|| sizes(engine, &container));
            let network = engine.network_settings(&container)?;
            view::inspect::container(&container, engine.layout(), sizes, network)
        }
        Kind::Image => view::image::inspect(&engine.image_details(name)?),
        Kind::Network => Value::of(&berth_docker::network(&engine.network(name)?)),
        Kind::Volume => view::volume::inspect(&engine.volume(name)?),
    })
}

/// Why there is nothing to show.
enum Missed {
    Engine(berth_engine::Error),
    Image(berth_engine::image::Error),
}

impl Missed {
    /// Nothing has the name.
    fn is_absence(&self) -> bool {
        use berth_engine::Error;
        match self {
            Missed::Engine(error) => matches!(
                error,
                Error::NoContainer { .. } | Error::NoNetwork { .. } | Error::NoVolume { .. }
            ),
            Missed::Image(error) => matches!(error, berth_engine::image::Error::NoImage { .. }),
        }
    }
}

impl From<berth_engine::Error> for Missed {
    fn from(error: berth_engine::Error) -> Missed {
        Missed::Engine(error)
    }
}

impl From<berth_engine::image::Error> for Missed {
    fn from(error: berth_engine::image::Error) -> Missed {
        Missed::Image(error)
    }
}

impl From<Missed> for Failure {
    fn from(missed: Missed) -> Failure {
        match missed {
            Missed::Engine(error) => error.into(),
            Missed::Image(error) => error.into(),
        }
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
            Ok(one(&engine, name, Kind::Container, self.size)?)
        })
    }
}
