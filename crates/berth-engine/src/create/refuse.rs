//! What can be asked for and has no effect here: refused, never passed over.

use berth_model::config::{NetworkConfig, NetworkMode};

use crate::Error;
use crate::request::CreateRequest;

/// Fails with the first such wish.
pub(super) fn unknown(request: &CreateRequest) -> Result<(), Error> {
    let wishes = [
        (
            request.network == Some(NetworkMode::Bridge),
            "the network `bridge`",
        ),
        (
            request.networking != NetworkConfig::default(),
            "ports and other options of the network",
        ),
    ];
    match wishes.into_iter().find(|(asked, _)| *asked) {
        None => Ok(()),
        Some((_, what)) => Err(Error::Invalid {
            message: format!("{what} cannot be had"),
            hint: None,
        }),
    }
}
