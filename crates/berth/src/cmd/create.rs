//! `berth create`, and the making of a container that `run` shares.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use berth_engine::Engine;
use berth_engine::request::CreateRequest;
use berth_model::ContainerId;

use super::container_options::ContainerOptions;
use crate::context;
use crate::globals::Globals;
use crate::image;
use crate::ui::diagnostic::{self, Failure};
use crate::verbs::{Outcome, Verb};

/// Make a container without starting it
#[derive(Debug, clap::Args)]
pub struct Create {
    #[command(flatten)]
    container: ContainerOptions,
}

impl Verb for Create {
    const USAGE: Option<&'static str> = Some("berth create [OPTIONS] IMAGE [COMMAND] [ARG]...");

    fn run(self, globals: &Globals) -> Outcome {
        let request = self.container.request(false);
        let request = request.map_err(|failure| failure.or_code(diagnostic::ENGINE))?;
        let engine = context::engine(globals)?;
        let id = create(
            &engine,
            request,
            self.container.quiet,
            self.container.cidfile.as_deref(),
        )?;
        super::print(&format!("{id}\n"))?;
        Ok(0)
    }
}

/// Resolves the image (pulling it where asked), makes the container, and writes the id file.
///
/// # Errors
/// The image cannot be had; the container cannot be made.
pub fn create(
    engine: &Engine,
    request: CreateRequest,
    quiet: bool,
    cidfile: Option<&Path>,
) -> Result<ContainerId, Failure> {
    // First, so that a file that is there already costs no container.
    let mut cid = cidfile.map(open_new).transpose()?;
    let make = || {
        let (ready, _lease) = image::ready(engine, &request, quiet)?;
        Ok(engine.create(request, ready)?)
    };
    let made: Result<ContainerId, Failure> = make();
    if let (Err(_), Some(path)) = (&made, cidfile) {
        // Empty: it names nothing, and would be in the next one's way.
        let _ = std::fs::remove_file(path);
    }
    let id = made?;
    if let Some(file) = &mut cid {
        file.write_all(id.as_str().as_bytes())
            .map_err(|e| Failure::of(&e).within("cannot write the file of --cidfile"))?;
    }
    Ok(id)
}

/// Makes the file of `--cidfile`.
///
/// # Errors
/// There is one of this name already; it cannot be made.
pub fn open_new(path: &Path) -> Result<std::fs::File, Failure> {
    OpenOptions::new()
        .write(true)
        // A daemon's descriptor, by which what is written goes to its client.
        .create_new(!path.starts_with("/proc/"))
        .open(path)
        .map_err(|e| {
            Failure::of(&e)
                .within(format!(
                    "cannot make `{}` for the container's id",
                    path.display()
                ))
                .hint("--cidfile needs a file that does not exist yet")
        })
}
