//! What can be asked for and has no effect here: refused, never passed over.

use berth_model::config::NetworkMode;

use crate::Error;
use crate::request::CreateRequest;

/// Fails for an address or a name where there is no network to have it in. In Docker's words.
pub(super) fn unknown(request: &CreateRequest) -> Result<(), Error> {
    let asked = &request.networking;
    let fail = |message: &str| {
        Err(Error::Invalid {
            message: message.to_owned(),
            hint: None,
        })
    };
    if matches!(&request.network, Some(mode) if !mode.has_networks()) {
        if !asked.addresses.is_empty() || !asked.link_local.is_empty() {
            return fail("user specified IP address is supported on user defined networks only");
        }
        if !asked.aliases.is_empty() {
            return fail("network-scoped aliases are only supported for user-defined networks");
        }
    }
    Ok(())
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
