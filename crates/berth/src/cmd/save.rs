//! `berth save`.

use std::fs::OpenOptions;
use std::io::{BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use berth_engine::Engine;

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Bytes written at once.
const BUFFER: usize = 256 << 10;

/// Write images to an archive that berth, docker, podman and skopeo load
#[derive(Debug, clap::Args)]
pub struct Save {
    /// Write this file, not standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Verb for Save {
    fn run(self, globals: &Globals) -> Outcome {
        if self.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::new("refusing to write an archive to a terminal")
                .hint("name a file with -o, or redirect the output"));
        }
        let engine = context::engine(globals)?;
        match &self.output {
            Some(path) => to_file(&engine, &self.images, path)?,
            None => {
                let out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
                engine.save_images(&self.images, out)?.flush()?;
            }
        }
        Ok(0)
    }
}

/// Under another name first: a file of that name is whole or was not touched.
fn to_file(engine: &Engine, images: &[String], path: &Path) -> Result<(), Failure> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}.part", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let failed = |error: std::io::Error| {
        Failure::of(&error).within(format!("cannot write `{}`", path.display()))
    };
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(failed)?;
    let written = engine
        .save_images(images, BufWriter::with_capacity(BUFFER, file))
        .map_err(Failure::from)
        .and_then(|mut out| out.flush().map_err(failed))
        .and_then(|()| std::fs::rename(&unfinished, path).map_err(failed));
    if written.is_err() {
        // The failure is what the user is told.
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}
