//! `berth push`.

use std::path::PathBuf;

use berth_engine::Engine;
use berth_engine::image::RegistryConfig;
use berth_engine::image::push::{PushEvent, Pushed};
use berth_oci::{Platform, Reference};

use crate::context;
use crate::globals::Globals;
use crate::image::is_untagged;
use crate::opts::content_trust::ContentTrust;
use crate::opts::security;
use crate::pull::registries;
use crate::ui::diagnostic::Failure;
use crate::ui::progress::{Progress, Style};
use crate::verbs::{Outcome, Verb};

/// Bring an image to its registry
#[derive(Debug, clap::Args)]
pub struct Push {
    /// Push all images of this name
    #[arg(short, long)]
    all_tags: bool,
    #[command(flatten)]
    content_trust: ContentTrust,
    /// Push the image for this platform alone, such as linux/arm64, not the whole index
    #[arg(long, value_name = "OS/ARCH", value_parser = security::platform)]
    platform: Option<Platform>,
    /// How progress is shown on standard error
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    progress: Style,
    /// Print the image's name only
    #[arg(short, long)]
    quiet: bool,
    /// Sign what was pushed with this private key, as `berth trust sign --recursive` does
    #[arg(long, value_name = "FILE", alias = "sign-by-sigstore-private-key")]
    sign_by: Option<PathBuf>,
    /// File with the passphrase of the key; else it is asked for
    #[arg(
        long,
        value_name = "FILE",
        alias = "sign-passphrase-file",
        requires = "sign_by"
    )]
    passphrase_file: Option<PathBuf>,
    /// The image: its name says where it goes
    image: String,
}

impl Verb for Push {
    fn run(self, globals: &Globals) -> Outcome {
        self.content_trust.check()?;
        let reference = Reference::parse(&self.image)?;
        let engine = context::engine(globals)?;
        let untagged = is_untagged(&self.image);
        let names = match self.all_tags {
            true if !untagged => {
                return Err(Failure::new("a tag cannot be pushed with --all-tags")
                    .hint("name the repository alone"));
            }
            true => engine.tags_of(&reference)?,
            false => vec![reference.clone()],
        };
        if names.is_empty() {
            let name = reference.familiar_name();
            return Err(Failure::new(format!("no image is called `{name}`"))
                .hint("`berth images` lists all images"));
        }
        // Before anything is pushed: a wrong passphrase should leave nothing unsigned there.
        let key = self.sign_by.as_deref().map(|file| {
            let passphrase = self.passphrase_file.as_deref();
            super::trust::private_key(file, passphrase)
        });
        let key = key.transpose()?;
        let mut progress = Progress::stderr(self.progress.unless(self.quiet));
        if untagged && !self.all_tags {
            progress.say("Using default tag: latest");
        }
        progress.say(&format!(
            "The push refers to repository [{}]",
            reference.name()
        ));
        let config = registries()?;
        for name in &names {
            let pushed = self.push(&engine, &config, name, &mut progress)?;
            if let Some(key) = &key {
                let digest = &pushed.descriptor.digest;
                engine.sign_pushed(config.clone(), &pushed.reference, digest, key)?;
            }
            super::print(&self.result(&pushed))?;
        }
        Ok(0)
    }
}

impl Push {
    fn push(
        &self,
        engine: &Engine,
        config: &RegistryConfig,
        name: &Reference,
        progress: &mut Progress,
    ) -> Result<Pushed, Failure> {
        let pushed = engine.push_image(
            config.clone(),
            name,
            self.platform.as_ref(),
            &mut |event| match event {
                PushEvent::Layer {
                    digest,
                    size_bytes,
                    step,
                } => progress.layer(&digest, step, size_bytes),
                PushEvent::OnlyOne {
                    index,
                    manifest,
                    platform,
                } => progress.warn(&format!(
                    "not all images of {} are here: only that for {platform} is pushed, {}",
                    index.short(),
                    manifest.short()
                )),
            },
        );
        let pushed = pushed?;
        progress.finish();
        Ok(pushed)
    }

    fn result(&self, pushed: &Pushed) -> String {
        if self.quiet {
            return format!("{}\n", pushed.reference);
        }
        let tag = pushed.reference.tag().unwrap_or_default();
        let (digest, size) = (&pushed.descriptor.digest, pushed.descriptor.size);
        format!("{tag}: digest: {digest} size: {size}\n")
    }
}
