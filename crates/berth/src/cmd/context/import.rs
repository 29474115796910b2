//! `berth context import`: what this verb's opposite, or docker's, has written.

use std::fs::File;
use std::io::Read;

use super::Files;
use crate::globals::Globals;
use crate::remote::contexts::{Context, Contexts, TLS_FILES};
use crate::remote::host::Host;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Bytes of an archive. Source: docker/cli, `maxAllowedFileSizeToImport`.
const MAX_BYTES: u64 = 10 << 20;

/// The longest padding, and two empty blocks.
const END_BYTES: u64 = 3 * 512;

/// Take a context from an archive
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The name that it is to have
    #[arg(value_name = "CONTEXT")]
    name: String,
    /// The archive, `-` for standard input
    #[arg(value_name = "FILE")]
    file: String,
}

impl Verb for Import {
    fn run(self, _: &Globals) -> Outcome {
        let contexts = Contexts::open()?;
        contexts.check_new(&self.name)?;
        let input: Box<dyn Read> =
            match self.file.as_str() {
                "-" => Box::new(std::io::stdin().lock()),
                path => {
                    let opened = File::open(path);
                    Box::new(opened.map_err(|error| {
                        Failure::of(&error).within(format!("cannot read `{path}`"))
                    })?)
                }
            };
        let (mut context, files) =
            read(input).map_err(|error| Failure::of(&error).within("cannot read the archive"))?;
        if let Some(endpoint) = context.endpoint() {
            Host::parse(&endpoint.host)?;
        }
        context.name.clone_from(&self.name);
        contexts.put(&context, Some(&files))?;
        crate::cmd::print(&format!("{}\n", self.name))?;
        crate::cmd::note(&format!(
            "Successfully imported context \"{}\"\n",
            self.name
        ));
        Ok(0)
    }
}

/// Only the files that a context has are taken, by their names: none is unpacked by its path.
fn read(input: impl Read) -> std::io::Result<(Context, Files)> {
    let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    // docker leaves out the end: the last file's padding, and the empty blocks.
    let end = std::io::repeat(0).take(END_BYTES);
    let mut archive = tar::Archive::new(input.take(MAX_BYTES).chain(end));
    let (mut context, mut files) = (None, Files::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if path == "meta.json" {
            context = Some(serde_json::from_slice(&bytes).map_err(std::io::Error::other)?);
        } else {
            let name = path.strip_prefix("tls/docker/");
            match name.filter(|name| TLS_FILES.contains(name)) {
                Some(name) => files.insert(name.to_owned(), bytes),
                None => return Err(bad("it holds what is nothing of a context")),
            };
        }
    }
    match context {
        Some(context) => Ok((context, files)),
        None => Err(bad("it is no context: meta.json is missing")),
    }
}
