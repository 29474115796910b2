//! `berth save`.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use berth_engine::Engine;

use super::unfinished::Unfinished;
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

fn to_file(engine: &Engine, images: &[String], path: &Path) -> Result<(), Failure> {
    let (unfinished, file) = Unfinished::beside(path)?;
    let mut out = engine.save_images(images, BufWriter::with_capacity(BUFFER, file))?;
    out.flush().map_err(|error| unfinished.failed(&error))?;
    unfinished.finish()
}
