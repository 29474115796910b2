//! `POST /images/{name}/push`.

use berth_engine::Engine;
use berth_engine::image::RegistryConfig;
use berth_engine::image::push::{PushCause, PushError, PushEvent, PushStep, Pushed};
use berth_oci::{Platform, Reference};
use serde_json::json;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::auth;
use crate::error::Failure;
use crate::messages::{self, Detail, Message, Messages};

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let tag = ask.query.get("tag");
    let reference = super::reference(name, tag)?;
    let all = tag.is_none() && !super::says_which(name);
    let platform = super::platform(&ask)?;
    let config = auth::registries(&ask, reference.domain())?;
    let engine = ask.docker.engine.clone();
    messages::answer(ask.peer.clone(), move |messages| {
        messages.status(&format!(
            "The push refers to repository [{}]",
            reference.name()
        ));
        let names = match all {
            true => engine.tags_of(&reference)?,
            false => vec![reference.clone()],
        };
        if names.is_empty() {
            return Err(Failure::absent(format!(
                "An image does not exist locally with the tag: {}",
                reference.familiar_name()
            )));
        }
        let config = RegistryConfig {
            stop: messages.stop(),
            ..config
        };
        for name in &names {
            push(&engine, config.clone(), name, platform.as_ref(), messages)?;
        }
        Ok(())
    })
    .await
}

fn push(
    engine: &Engine,
    config: RegistryConfig,
    name: &Reference,
    platform: Option<&Platform>,
    messages: &mut Messages,
) -> Result<(), Failure> {
    let pushed = engine.push_image(config, name, platform, &mut |event| tell(messages, event));
    end(messages, &pushed.map_err(failure)?);
    Ok(())
}

fn tell(messages: &mut Messages, event: PushEvent) {
    let (digest, size_bytes, step) = match event {
        PushEvent::OnlyOne {
            platform, manifest, ..
        } => {
            let only = manifest.short();
            return messages.status(&format!(
                "Not all images of the index are here: only that for {platform} is pushed ({only})"
            ));
        }
        PushEvent::Layer {
            digest,
            size_bytes,
            step,
        } => (digest, size_bytes, step),
    };
    let id = digest.short();
    match step {
        PushStep::Waiting => messages.status_of(id, "Preparing"),
        PushStep::Exists => messages.status_of(id, "Layer already exists"),
        PushStep::Mounted(from) => messages.status_of(id, &format!("Mounted from {from}")),
        PushStep::Pushing(bytes) => {
            let detail = Detail {
                current: Some(bytes),
                total: Some(size_bytes),
            };
            messages.progress(id, "Pushing", detail);
        }
        PushStep::Pushed => messages.status_of(id, "Pushed"),
    }
}

fn end(messages: &mut Messages, pushed: &Pushed) {
    let tag = pushed.reference.tag().unwrap_or_default();
    let (digest, size) = (&pushed.descriptor.digest, pushed.descriptor.size);
    messages.status(&format!("{tag}: digest: {digest} size: {size}"));
    messages.send(Message {
        detail: Some(Detail::default()),
        aux: Some(json!({"Tag": tag, "Digest": digest, "Size": size})),
        ..Message::default()
    });
}

fn failure(error: PushError) -> Failure {
    match error.source {
        // Clients look for these words.
        PushCause::NoImage => Failure::absent(format!(
            "An image does not exist locally with the tag: {}",
            error.reference
        )),
        _ => error.into(),
    }
}
