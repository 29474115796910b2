//! `berth import`.

use std::path::Path;

use berth_engine::image::ImportOptions;
use berth_oci::Platform;

use super::load::input;
use crate::context;
use crate::globals::Globals;
use crate::opts::security;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Make an image of the tar of a root file system
#[derive(Debug, clap::Args)]
pub struct Import {
    /// An instruction as in a Dockerfile, such as 'CMD ["sh"]'
    #[arg(short, long, value_name = "INSTRUCTION", action = clap::ArgAction::Append)]
    change: Vec<String>,
    /// A remark for the image's history
    #[arg(short, long, default_value = "", hide_default_value = true)]
    message: String,
    /// What it runs on, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = security::platform)]
    platform: Option<Platform>,
    /// The archive; `-` is standard input
    file: String,
    /// The image's name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Verb for Import {
    fn run(self, globals: &Globals) -> Outcome {
        let from = (self.file != "-").then(|| Path::new(&self.file));
        if self.file.contains("://") {
            return Err(Failure::new("only files can be imported")
                .hint("fetch it, and pipe it into `berth import -`"));
        }
        let input = input(from)?;
        let options = ImportOptions {
            name: self.name,
            changes: self.change,
            message: self.message,
            source: self.file,
            platform: self.platform,
            created_s: source_date()?,
        };
        let loaded = context::engine(globals)?.import_image(input, &options)?;
        super::print(&format!("{}\n", loaded.id))?;
        Ok(0)
    }
}

/// SOURCE_DATE_EPOCH, by which the same input makes the same image.
///
/// # Errors
/// It is not a number.
pub fn source_date() -> Result<Option<i64>, Failure> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else {
        return Ok(None);
    };
    text.trim().parse().map(Some).map_err(|_| {
        Failure::new(format!(
            "SOURCE_DATE_EPOCH is `{text}`, not seconds since 1970"
        ))
    })
}
