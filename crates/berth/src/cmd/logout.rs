//! `berth logout`.

use berth_engine::login;

use super::login::server;
use crate::globals::Globals;
use crate::pull::registries;
use crate::verbs::{Outcome, Verb};

/// Forget the login for a registry
#[derive(Debug, clap::Args)]
pub struct Logout {
    /// The registry, HOST[:PORT]; without it, docker.io
    server: Option<String>,
}

impl Verb for Logout {
    fn run(self, _: &Globals) -> Outcome {
        let server = server(self.server.as_deref())?;
        let told = match login::log_out(&registries()?.credentials, &server)? {
            true => format!("Removing login credentials for {server}\n"),
            false => format!("Not logged in to {server}\n"),
        };
        super::print(&told)?;
        Ok(0)
    }
}
