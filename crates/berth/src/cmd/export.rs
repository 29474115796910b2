//! `berth export`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::Stdio;

use super::unfinished::Unfinished;
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Write all files of a container, without what is mounted in it, to an archive that `berth import` takes
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Write this file, not standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The container, by name or id
    container: String,
}

impl Verb for Export {
    fn run(self, globals: &Globals) -> Outcome {
        if self.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::new("refusing to write an archive to a terminal")
                .hint("name a file with -o, or redirect the output"));
        }
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        match &self.output {
            Some(path) => {
                let (unfinished, file) = Unfinished::beside(path)?;
                engine.export(&id, Stdio::from(file))?;
                unfinished.finish()?;
            }
            None => engine.export(&id, Stdio::inherit())?,
        }
        Ok(0)
    }
}
