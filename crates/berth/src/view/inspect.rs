//! `inspect` of a container: the API's own document.

use berth_docker::Extra;
use berth_engine::layout::Layout;
use berth_engine::network::NetworkSettings;
use berth_engine::observe::Container;

use crate::ui::template::Value;

/// The object that `inspect` prints. `sizes`: bytes that it has written, and of its image, if they were measured.
pub fn container(
    container: &Container,
    layout: &Layout,
    sizes: Option<(u64, u64)>,
    network: NetworkSettings,
) -> Value {
    let extra = Extra {
        sizes,
        network,
        ..Extra::default()
    };
    Value::of(&berth_docker::inspect(container, layout, extra))
}

#[cfg(test)]
mod tests;
