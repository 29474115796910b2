//! `berth port`.

use std::net::SocketAddr;

use berth_engine::network::HostPort;
use berth_model::config::Port;

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Show which ports of the host lead to a container
#[derive(Debug, clap::Args)]
pub struct Ports {
    /// The container, by name or id
    container: String,
    /// Only of this port of the container
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

impl Verb for Ports {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        let settings = engine.network_settings(&engine.inspect(&id)?)?;
        let mut lines = Vec::new();
        match &self.port {
            None => {
                // As docker sorts them: by their text.
                for (port, bindings) in &settings.ports {
                    let shown = bindings
                        .iter()
                        .flatten()
                        .map(|one| format!("{port} -> {}", host(one)));
                    lines.extend(shown);
                }
                lines.sort();
            }
            Some(text) => {
                let port: Port = text.parse().map_err(Failure::new)?;
                let found = settings.ports.get(&port).cloned().flatten();
                let found = found.ok_or_else(|| {
                    Failure::new(format!(
                        "no public port '{text}' published for {}",
                        self.container
                    ))
                })?;
                lines.extend(found.iter().map(host));
            }
        }
        super::print(
            &lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        )?;
        Ok(0)
    }
}

fn host(port: &HostPort) -> String {
    SocketAddr::new(port.host_ip, port.host_port).to_string()
}
