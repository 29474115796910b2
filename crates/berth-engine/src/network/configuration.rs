//! Configuration networks, which are settings that other networks take over (`--config-only`, `--config-from`): a record, and
//! nothing on the host. No container is in one, and none goes that another network has its settings from.

use super::create::NetworkRequest;
use super::ipam;
use super::record::{Record, SCHEMA, Shape};
use crate::create::random_id;
use crate::{Engine, Error};

/// What cannot be asked for together, in Docker's words.
pub(super) fn check(request: &NetworkRequest) -> Result<(), Error> {
    let denied = |message: &str| Error::NetworkDenied {
        message: message.to_owned(),
    };
    let other = request.internal || request.attachable;
    if request.config_only && other {
        return Err(denied(
            "configuration network can only contain network specific fields. Network operator fields like [ ingress | \
             internal | attachable | scope ] are not supported.",
        ));
    }
    if request.config_from.is_empty() {
        return Ok(());
    }
    if request.config_only {
        return Err(denied(
            "a configuration network cannot depend on another configuration network",
        ));
    }
    let families = request.ipv6 || !request.ipv4;
    let addresses = !request.addresses.is_empty() || !request.ipam_options.is_empty();
    if families || addresses || !request.labels.is_empty() {
        return Err(denied(
            "user specified configurations are not supported if the network depends on a configuration network",
        ));
    }
    match request.options.is_empty() {
        true => Ok(()),
        false => Err(denied(
            "network driver options are not supported if the network depends on a configuration network",
        )),
    }
}

/// The settings as they were asked for: whether they make sense is seen when a network has them.
pub(super) fn record(request: NetworkRequest) -> Result<Record, Error> {
    ipam::check(&request.addresses)?;
    Ok(Record {
        schema: SCHEMA,
        id: random_id()?.to_string(),
        name: request.name,
        created: crate::clock::now(),
        shape: Shape::bare(""),
        ipv4: request.ipv4,
        ipv6: request.ipv6,
        attachable: false,
        told: request.addresses,
        ipam_options: request.ipam_options,
        options: request.options,
        labels: request.labels,
        config_only: true,
        config_from: String::new(),
    })
}

/// What a network is asked to be, with the settings that it is to take over.
pub(super) fn apply(request: NetworkRequest, all: &[Record]) -> Result<NetworkRequest, Error> {
    let asked = &request.config_from;
    if asked.is_empty() {
        return Ok(request);
    }
    let is_it = |one: &&Record| one.config_only && (one.name == *asked || one.id == *asked);
    let Some(from) = all.iter().find(is_it) else {
        return Err(Error::NoConfiguration {
            name: asked.clone(),
        });
    };
    Ok(NetworkRequest {
        ipv4: from.ipv4,
        ipv6: from.ipv6,
        addresses: from.told.clone(),
        ipam_options: from.ipam_options.clone(),
        options: from.options.clone(),
        labels: from.labels.clone(),
        config_from: from.name.clone(),
        ..request
    })
}

impl Engine {
    /// Whether another network has its settings from this one. The lock of the networks is ours.
    pub(super) fn is_configuration_used(&self, record: &Record) -> Result<bool, Error> {
        let has = |other: &Record| other.config_from == record.name;
        Ok(record.config_only && self.network_records()?.iter().any(has))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_together() {
        let plain = || NetworkRequest {
            name: "n".to_owned(),
            ipv4: true,
            ..NetworkRequest::default()
        };
        let alone = NetworkRequest {
            config_only: true,
            labels: [("a".to_owned(), "b".to_owned())].into(),
            ..plain()
        };
        check(&alone).unwrap();
        let configuration = record(alone.clone()).unwrap();
        let of = |name: &str| NetworkRequest {
            config_from: name.to_owned(),
            internal: true,
            ..plain()
        };
        check(&of("n")).unwrap();
        let applied = apply(of("n"), std::slice::from_ref(&configuration)).unwrap();
        assert!(applied.labels == alone.labels && applied.internal);
        assert!(apply(of("m"), &[configuration]).is_err());
        for bad in [
            NetworkRequest {
                internal: true,
                ..alone.clone()
            },
            NetworkRequest {
                attachable: true,
                ..alone.clone()
            },
            NetworkRequest {
                config_from: "n".to_owned(),
                ..alone.clone()
            },
            NetworkRequest {
                ipv6: true,
                ..of("n")
            },
            NetworkRequest {
                ipv4: false,
                ..of("n")
            },
            NetworkRequest {
                labels: alone.labels.clone(),
                ..of("n")
            },
            NetworkRequest {
                options: alone.labels.clone(),
                ..of("n")
            },
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }
}
