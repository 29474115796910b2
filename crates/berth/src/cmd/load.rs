//! `berth load`.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use berth_engine::image::LoadFrom;
use berth_oci::Platform;

use crate::context;
use crate::globals::Globals;
use crate::opts::security;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Take images from an archive (docker's or OCI's, also gzip'ed or zstd) or a directory (an OCI layout, skopeo's dir)
#[derive(Debug, clap::Args)]
pub struct Load {
    /// Read this file or directory, not standard input (`-`)
    #[arg(short, long, value_name = "FILE|DIR")]
    input: Option<PathBuf>,
    /// Of an image for several platforms, the one for this, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = security::platform)]
    platform: Option<Platform>,
    /// Accepted for docker's sake: there is no progress to hide
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Load {
    fn run(self, globals: &Globals) -> Outcome {
        let path = self.input.as_deref().filter(|path| *path != Path::new("-"));
        let from = match path {
            Some(path) if path.is_dir() => LoadFrom::Directory(path),
            path => LoadFrom::Archive(input(path)?),
        };
        let engine = context::engine(globals)?;
        let mut text = String::new();
        for image in engine.load_images(from, self.platform.as_ref())? {
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
