//! Images as users name them; that of a new container, found in the store or pulled as `--pull` says.

use berth_engine::Engine;
use berth_engine::ready::ReadyImage;
use berth_engine::request::{CreateRequest, PullPolicy};
use berth_oci::{Platform, Reference};

use crate::pull;
use crate::ui::diagnostic::Failure;
use crate::ui::progress::Style;

/// Whether a user names a repository alone, so that `latest` is meant.
pub fn is_untagged(text: &str) -> bool {
    Reference::parse(&format!("{text}:latest")).is_ok()
}

/// The image, ready to use, and the lease that keeps it until the container is committed.
///
/// # Errors
/// It is not here and cannot be pulled.
pub fn ready(
    engine: &Engine,
    request: &CreateRequest,
    quiet: bool,
) -> Result<(ReadyImage, impl Sized + use<>), Failure> {
    let name = &request.image;
    let wanted = request.platform.as_ref();
    let platform = wanted.cloned().unwrap_or_else(Platform::host);
    if request.pull != PullPolicy::Always
        && let Some(found) = engine.ready_image(name, &platform)?
    {
        return Ok(found);
    }
    let missing = || Failure::new(format!("no such image: {name}"));
    if request.pull == PullPolicy::Never {
        return Err(missing().hint("without --pull never it would be pulled"));
    }
    let reference = Reference::parse(name)?;
    if request.pull == PullPolicy::Missing && !quiet {
        crate::cmd::note(&format!(
            "Unable to find image '{}' locally\n",
            reference.familiar()
        ));
    }
    pull::pull(engine, &reference, wanted, Style::Auto.unless(quiet))?;
    engine.ready_image(name, &platform)?.ok_or_else(missing)
}
