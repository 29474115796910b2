//! `berth context export`: a tar that docker's `context import` takes, too.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt as _;

use crate::globals::Globals;
use crate::remote::contexts::Contexts;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Write a context, its keys too, to an archive
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The name
    #[arg(value_name = "CONTEXT")]
    name: String,
    /// The archive, `-` for standard output; by default CONTEXT.dockercontext
    #[arg(value_name = "FILE")]
    file: Option<String>,
}

impl Verb for Export {
    fn run(self, _: &Globals) -> Outcome {
        let contexts = Contexts::open()?;
        let context = super::look(&contexts, &self.name)?;
        let (_, files) = super::of(&contexts, &self.name)?;
        let meta = serde_json::to_vec(&context).map_err(|error| Failure::of(&error))?;
        let archive = archive(&meta, &files).map_err(|error| Failure::of(&error))?;
        let default = format!("{}.dockercontext", self.name);
        match self.file.as_deref().unwrap_or(&default) {
            "-" if std::io::stdout().is_terminal() => {
                Err(Failure::new("an archive is not written to a terminal")
                    .hint("name a file, or redirect standard output"))
            }
            "-" => crate::cmd::print_bytes(&archive).map(|()| 0),
            path => {
                // Keys are in it.
                let opened = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path);
                let written = opened.and_then(|mut file| file.write_all(&archive));
                written.map_err(|error| {
                    Failure::of(&error).within(format!("cannot write `{path}`"))
                })?;
                crate::cmd::note(&format!("Written file \"{path}\"\n"));
                Ok(0)
            }
        }
    }
}

fn archive(meta: &[u8], files: &super::Files) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes)
    };
    add("meta.json", tar::EntryType::Regular, 0o644, meta)?;
    add("tls", tar::EntryType::Directory, 0o700, &[])?;
    if !files.is_empty() {
        add("tls/docker", tar::EntryType::Directory, 0o700, &[])?;
    }
    for (name, bytes) in files {
        add(
            &format!("tls/docker/{name}"),
            tar::EntryType::Regular,
            0o600,
            bytes,
        )?;
    }
    tar.into_inner()
}
