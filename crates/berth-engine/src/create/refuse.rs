//! What can be asked for and has no effect here: refused, never passed over.

use berth_model::config::NetworkMode;

use crate::Error;
use crate::request::CreateRequest;

/// Fails with the first such wish.
pub(super) fn unknown(request: &CreateRequest) -> Result<(), Error> {
    if matches!(request.network, Some(NetworkMode::Named(_)))
        || request.networking.endpoints.is_some()
    {
        return Err(Error::Invalid {
            message: "a place in a network of one's own cannot be had".to_owned(),
            hint: None,
        });
    }
    let wishes = [(
        !request.networking.addresses.is_empty()
            || !request.networking.link_local.is_empty()
            || !request.networking.aliases.is_empty(),
        "an address or alias of one's own choice",
    )];
    match wishes.into_iter().find(|(asked, _)| *asked) {
        None => Ok(()),
        Some((_, what)) => Err(Error::Invalid {
            message: format!("{what} cannot be had"),
            hint: None,
        }),
    }
}

/// What makes no sense beside another container's network, or the host's. In Docker's words.
pub(super) fn conflicts(request: &CreateRequest) -> Result<(), Error> {
    let asked = &request.networking;
    let mode = match &request.network {
        Some(NetworkMode::Container(_)) => "the container type network mode",
        Some(NetworkMode::Host) => "the host type network mode",
        _ => return Ok(()),
    };
    let container = matches!(request.network, Some(NetworkMode::Container(_)));
    let wishes = [
        (container && request.hostname.is_some(), "hostname"),
        (container && !asked.ports.is_empty(), "port publishing"),
        (
            container && !request.exposed_ports.is_empty(),
            "port exposing",
        ),
        (container && !asked.dns.is_empty(), "dns"),
        (
            container && !asked.extra_hosts.is_empty(),
            "custom host-to-IP mapping",
        ),
        (asked.mac.is_some(), "mac-address"),
        (!asked.links.is_empty(), "links"),
    ];
    match wishes.into_iter().find(|(asked, _)| *asked) {
        None => Ok(()),
        Some((_, what)) => Err(Error::Invalid {
            message: format!("conflicting options: {what} and {mode}"),
            hint: None,
        }),
    }
}
