//! The pull of `POST /images/create`: an image, or all tags of a repository.

use berth_engine::Engine;
use berth_engine::image::RegistryConfig;
use berth_engine::image::pull::{LayerStep, PullEvent, Pulled};
use berth_engine::registry;
use berth_engine::trust::{Files, Trust};
use berth_oci::{Digest, Platform, Reference};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::auth;
use crate::error::Failure;
use crate::messages::{self, Detail, Message, Messages};

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let name = ask.query.get("fromImage").unwrap_or_default();
    let tag = ask.query.get("tag");
    let reference = super::reference(name, tag)?;
    // As docker: a name alone means all of its tags; its clients say `latest` when they mean that.
    let all = tag.is_none() && !super::says_which(name);
    let platform = super::platform(&ask)?;
    let config = auth::registries(&ask, reference.domain())?;
    let trust = Files::from_env(ask.docker.environment);
    let engine = ask.docker.engine.clone();
    messages::answer(ask.peer.clone(), move |messages| {
        let pulls = Pulls {
            engine: &engine,
            config: RegistryConfig {
                stop: messages.stop(),
                ..config
            },
            trust: trust.load()?,
            platform,
        };
        match all {
            true => pulls.all(&reference, messages),
            false => pulls.one(&reference, messages),
        }
    })
    .await
}

struct Pulls<'e> {
    engine: &'e Engine,
    config: RegistryConfig,
    trust: Trust,
    platform: Option<Platform>,
}

impl Pulls<'_> {
    fn all(&self, repository: &Reference, messages: &mut Messages) -> Result<(), Failure> {
        let tags = registry::tags(self.config.clone(), repository)
            .map_err(|error| absent(repository, error.into()))?;
        for tag in tags {
            self.one(&super::reference(&repository.name(), Some(&tag))?, messages)?;
        }
        Ok(())
    }

    fn one(&self, reference: &Reference, messages: &mut Messages) -> Result<(), Failure> {
        let mut progress = Progress {
            messages,
            reference,
            known: Vec::new(),
            here: Vec::new(),
        };
        let pulled = self.engine.pull(
            self.config.clone(),
            &self.trust,
            reference,
            self.platform.as_ref(),
            &mut |event| progress.event(event),
        );
        let pulled = pulled.map_err(|error| absent(reference, error.into()))?;
        progress.end(&pulled);
        Ok(())
    }
}

struct Progress<'m> {
    messages: &'m mut Messages,
    reference: &'m Reference,
    /// Layers that were told of.
    known: Vec<Digest>,
    /// Layers that were here before: of no interest if the image was, too.
    here: Vec<Digest>,
}

impl Progress<'_> {
    fn event(&mut self, event: PullEvent) {
        match event {
            PullEvent::Resolved { .. } => {
                let digest = self.reference.digest().map(ToString::to_string);
                let id = self.reference.tag().or(digest.as_deref());
                self.messages.send(Message {
                    status: Some(&format!("Pulling from {}", self.reference.path())),
                    id,
                    ..Message::default()
                });
            }
            PullEvent::PassedOver { mirror, reason } => self
                .messages
                .status(&format!("The mirror {mirror} was passed over: {reason}")),
            PullEvent::Layer {
                digest,
                size_bytes,
                step,
            } => self.layer(digest, size_bytes, step),
        }
    }

    fn layer(&mut self, digest: Digest, size_bytes: u64, step: LayerStep) {
        if step == LayerStep::Exists {
            return self.here.push(digest);
        }
        self.tell_here();
        let id = digest.short().to_owned();
        let of = |current| Detail {
            current: Some(current),
            total: Some(size_bytes),
        };
        if !self.known.contains(&digest) {
            self.known.push(digest);
            self.messages.status_of(&id, "Pulling fs layer");
        }
        match step {
            LayerStep::Exists => {}
            LayerStep::Downloading(bytes) => self.messages.progress(&id, "Downloading", of(bytes)),
            LayerStep::Downloaded => self.messages.status_of(&id, "Download complete"),
            LayerStep::Unpacked => {
                self.messages.progress(&id, "Extracting", of(size_bytes));
                self.messages.status_of(&id, "Pull complete");
            }
        }
    }

    fn tell_here(&mut self) {
        for digest in std::mem::take(&mut self.here) {
            self.messages.status_of(digest.short(), "Already exists");
            self.known.push(digest);
        }
    }

    fn end(&mut self, pulled: &Pulled) {
        if pulled.changed {
            self.tell_here();
        }
        self.messages
            .status(&format!("Digest: {}", pulled.descriptor.digest));
        let what = match pulled.changed {
            true => "Downloaded newer image for",
            false => "Image is up to date for",
        };
        self.messages
            .status(&format!("Status: {what} {}", self.reference.familiar()));
    }
}

/// What clients look for when there is no such image.
fn absent(reference: &Reference, failure: Failure) -> Failure {
    if failure.status != http::StatusCode::NOT_FOUND {
        return failure;
    }
    let name = reference.familiar();
    Failure::absent(format!(
        "manifest for {name} not found: manifest unknown: {}",
        failure.message
    ))
}
