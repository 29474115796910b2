//! `berth save`.

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use berth_engine::image::SaveFormat;
use berth_oci::Platform;

use super::unfinished::Unfinished;
use crate::context;
use crate::globals::Globals;
use crate::opts::security;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Forms of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Docker's manifest.json, configurations and layers
    DockerArchive,
    /// An OCI layout in a tar
    OciArchive,
    /// An OCI layout as a directory
    OciDir,
}

/// Write images to an archive that berth, docker, podman and skopeo load
#[derive(Debug, clap::Args)]
pub struct Save {
    /// Write this file or directory, not standard output
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// Only this form (default: an archive that is docker's and OCI's at once; of a directory, oci-dir)
    #[arg(long, value_name = "FORM", value_enum)]
    format: Option<Format>,
    /// Of an image for several platforms, the one for this, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = security::platform)]
    platform: Option<Platform>,
    /// Images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Verb for Save {
    fn run(self, globals: &Globals) -> Outcome {
        let is_dir = self.output.as_ref().is_some_and(|path| path.is_dir());
        let platform = self.platform.as_ref();
        let format = match self.format {
            None if is_dir => None,
            Some(Format::OciDir) => None,
            None => Some(SaveFormat::Both),
            Some(Format::DockerArchive) => Some(SaveFormat::Docker),
            Some(Format::OciArchive) => Some(SaveFormat::Oci),
        };
        let Some(format) = format else {
            let Some(directory) = &self.output else {
                return Err(Failure::new("a directory needs a name").hint("name it with -o DIR"));
            };
            context::engine(globals)?.save_directory(&self.images, platform, directory)?;
            return Ok(0);
        };
        match &self.output {
            Some(path) => {
                let engine = context::engine(globals)?;
                let (unfinished, file) = Unfinished::beside(path)?;
                engine.save_images(&self.images, platform, format, file)?;
                unfinished.finish()?;
            }
            None if std::io::stdout().is_terminal() => {
                return Err(Failure::new("refusing to write an archive to a terminal")
                    .hint("name a file with -o, or redirect the output"));
            }
            None => {
                let out = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
                context::engine(globals)?.save_images(&self.images, platform, format, out)?;
            }
        }
        Ok(0)
    }
}
