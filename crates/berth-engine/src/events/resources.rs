//! What a run takes and gives back, as Docker tells it: its network and its volumes; and what a prune has freed.

use berth_model::config::{EndpointConfig, MountKind, NetworkMode};
use berth_model::event::Subject;
use berth_model::{ContainerConfig, ContainerId, Event};

use crate::Engine;

impl Engine {
    /// Tells of the network and the volumes that a run takes: before its `start`.
    pub(crate) fn record_taken(&self, config: &ContainerConfig) {
        self.record_networks(config, "connect");
        for (mount, event) in self.volume_events(config, "mount") {
            let event = event.with("destination", &mount.destination);
            let event = event.with("propagation", mount.propagation.as_deref().unwrap_or(""));
            self.record(event.with("read/write", (!mount.read_only).to_string()));
        }
    }

    /// Tells that they are given back: after its `die`.
    pub(crate) fn record_given_back(&self, config: &ContainerConfig) {
        self.record_networks(config, "disconnect");
        for (_, event) in self.volume_events(config, "unmount") {
            self.record(event);
        }
    }

    /// Tells what a prune of such things has freed.
    pub fn record_prune(&self, subject: Subject, bytes: u64) {
        let event = Event::new(subject, "prune", "");
        self.record(event.with("reclaimed", bytes.to_string()));
    }

    /// Tells that a container's terminal has another size.
    pub fn record_resize(&self, config: &ContainerConfig, rows: u16, columns: u16) {
        let event = self.container_event(config, "resize");
        let event = event.with("height", rows.to_string());
        self.record(event.with("width", columns.to_string()));
    }

    fn record_networks(&self, config: &ContainerConfig, action: &str) {
        let plain = match &config.network {
            // Another container's.
            NetworkMode::Container(_) | NetworkMode::Pasta => return,
            NetworkMode::Host => "host",
            NetworkMode::None => "none",
            mode => {
                for place in config.networking.endpoints(mode) {
                    self.record_endpoint(&config.id, &place, action);
                }
                return;
            }
        };
        let place = EndpointConfig {
            network: plain.to_owned(),
            name: plain.to_owned(),
            ..EndpointConfig::default()
        };
        self.record_endpoint(&config.id, &place, action);
    }

    /// Tells that a container came into a network, or left it.
    pub(crate) fn record_endpoint(
        &self,
        container: &ContainerId,
        place: &EndpointConfig,
        action: &str,
    ) {
        let (id, driver) = match place.network.as_str() {
            key @ ("bridge" | "host" | "none") => {
                let driver = if key == "none" { "null" } else { key };
                (self.network_id(key).unwrap_or_default(), driver)
            }
            id => {
                let record = self.network_record(id).ok().flatten();
                let driver = record.map_or("bridge", |record| record.driver());
                (id.to_owned(), driver)
            }
        };
        let event = Event::new(Subject::Network, action, id);
        let event = event.with("container", container.as_str());
        self.record(event.with("name", &place.name).with("type", driver));
    }

    fn volume_events<'a>(
        &'a self,
        config: &'a ContainerConfig,
        action: &'a str,
    ) -> impl Iterator<Item = (&'a berth_model::config::MountConfig, Event)> {
        let mounts = config.mounts.iter();
        let mounts = mounts.filter(|mount| mount.kind == MountKind::Volume);
        mounts.map(move |mount| {
            let record = self.volume_record(&mount.source).ok().flatten();
            let record = record.unwrap_or_default();
            let event = Event::new(Subject::Volume, action, &mount.source);
            let event = event.with("container", config.id.as_str());
            (mount, event.with("driver", record.driver()))
        })
    }
}
