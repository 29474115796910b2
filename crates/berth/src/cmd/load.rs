//! `berth load`.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Take images from an archive (docker-archive or OCI, compressed or not)
#[derive(Debug, clap::Args)]
pub struct Load {
    /// Read this file, not standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Accepted for docker's sake: there is no progress to hide
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Load {
    fn run(self, globals: &Globals) -> Outcome {
        let input = input(self.input.as_deref())?;
        let engine = context::engine(globals)?;
        let mut text = String::new();
        for image in engine.load_images(input)? {
            if image.names.is_empty() {
                text.push_str(&format!("Loaded image ID: {}\n", image.id));
            }
            for name in &image.names {
                text.push_str(&format!("Loaded image: {}\n", name.familiar()));
            }
        }
        super::print(&text)?;
        Ok(0)
    }
}

/// A file, or standard input unless that is a terminal.
///
/// # Errors
/// The file cannot be opened; there is no input.
pub fn input(path: Option<&Path>) -> Result<Box<dyn Read + Send>, Failure> {
    match path {
        Some(path) => {
            let file = File::open(path).map_err(|error| {
                Failure::of(&error).within(format!("cannot open `{}`", path.display()))
            })?;
            Ok(Box::new(file))
        }
        None if std::io::stdin().is_terminal() => {
            Err(Failure::new("standard input is a terminal")
                .hint("name an archive, or pipe one in"))
        }
        None => Ok(Box::new(std::io::stdin())),
    }
}
