//! The image of a new container: found in the store, or pulled as `--pull` says.

use berth_engine::Engine;
use berth_engine::create::ReadyImage;
use berth_engine::request::{CreateRequest, PullPolicy};
use berth_oci::Platform;

use crate::ui::diagnostic::Failure;

/// The image, ready to use, and the lease that keeps it until the container is committed.
///
/// # Errors
/// It is not here and cannot be pulled.
pub fn ready(
    engine: &Engine,
    request: &CreateRequest,
    _quiet: bool,
) -> Result<(ReadyImage, impl Sized + use<>), Failure> {
    let platform = platform(request.platform.as_deref())?;
    if let Some(found) = engine.ready_image(&request.image, &platform)? {
        return Ok(found);
    }
    let missing = Failure::new(format!("no such image: {}", request.image));
    if request.pull == PullPolicy::Never {
        return Err(missing.hint("without --pull never it would be pulled"));
    }
    Err(missing)
}

/// The platform asked for, or the host's.
///
/// # Errors
/// It is not a platform.
pub fn platform(text: Option<&str>) -> Result<Platform, Failure> {
    match text {
        Some(text) => Platform::parse(text).map_err(|e| Failure::of(&e)),
        None => Ok(Platform::host()),
    }
}
