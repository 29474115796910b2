//! Pulling an image, with its progress on standard error; and what the environment says of registries and policies.
//! Shared by the verbs that need a registry.

use berth_engine::Engine;
use berth_engine::image::RegistryConfig;
use berth_engine::image::pull::{PullEvent, Pulled};
use berth_engine::trust::Files;
use berth_oci::{Platform, Reference};

use crate::globals;
use crate::ui::diagnostic::Failure;
use crate::ui::progress::{Progress, Style};

/// Pulls `reference`.
///
/// # Errors
/// It cannot be pulled; then nothing of it is visible.
pub fn pull(
    engine: &Engine,
    reference: &Reference,
    platform: Option<&Platform>,
    style: Style,
) -> Result<Pulled, Failure> {
    let config = registries()?;
    let trust = trust_files().load()?;
    let mut progress = Progress::stderr(style);
    let tag = reference.tag().unwrap_or("the digest");
    progress.say(&format!("{tag}: Pulling from {}", reference.path()));
    let pulled = engine.pull(
        config,
        &trust,
        reference,
        platform,
        &mut |event| match event {
            PullEvent::Layer {
                digest,
                size_bytes,
                step,
            } => progress.layer(&digest, step, size_bytes),
            PullEvent::PassedOver { mirror, reason } => {
                progress.warn(&format!("mirror {mirror} was passed over: {reason}"));
            }
            PullEvent::Resolved { .. } => {}
        },
    );
    let pulled = pulled?;
    progress.finish();
    progress.say(&format!("Digest: {}", pulled.descriptor.digest));
    let what = if pulled.changed {
        "Downloaded newer image for"
    } else {
        "Image is up to date for"
    };
    progress.say(&format!("Status: {what} {}", reference.familiar()));
    Ok(pulled)
}

/// How registries are reached, by our environment.
///
/// # Errors
/// The registries file is no good.
pub fn registries() -> Result<RegistryConfig, Failure> {
    Ok(RegistryConfig::from_env(|name| match name {
        "DOCKER_CONFIG" => {
            globals::client_config().map(|place| place.to_string_lossy().into_owned())
        }
        _ => std::env::var(name).ok(),
    })?)
}

/// Where the environment says that the policies are.
pub fn trust_files() -> Files {
    // A path that is no text must not be taken for none: its file is not found then.
    Files::from_env(|name| {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned())
    })
}
