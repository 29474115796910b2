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
        login::log_out(&registries()?.credentials, &server)?;
        super::print(&format!("Removing login credentials for {server}\n"))?;
        Ok(0)
    }
}
