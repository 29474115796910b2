//! `berth registry serve`.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use berth_registry_server::config::Config;
use berth_registry_server::run;
use berth_registry_server::setup::Warnings;
use berth_serve::tls;

use crate::cmd::{note, print};
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Be a registry
///
/// Prints its URL once it listens, and serves until SIGTERM or SIGINT. What is not given here stands in the configuration, and
/// `berth registry serve --print-config` prints one with all defaults, explained.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Configuration: a TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<String>,
    /// Where to keep everything
    #[arg(long, value_name = "DIRECTORY")]
    root: Option<PathBuf>,
    /// The users, as `htpasswd -B` writes them; without them everybody may do everything
    #[arg(long, value_name = "FILE")]
    htpasswd: Option<PathBuf>,
    /// The certificate and what leads to its authority, PEM: HTTPS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Print a configuration with all defaults, explained
    #[arg(long, exclusive = true)]
    print_config: bool,
}

impl Verb for Serve {
    fn run(self, _: &Globals) -> Outcome {
        if self.print_config {
            print(berth_registry_server::config::EXAMPLE)?;
            return Ok(0);
        }
        let config = self.config()?;
        for concern in config.concerns() {
            note(&format!("warning: {concern}\n"));
        }
        let warnings = Warnings::new(|error, all_the_same| {
            note(&format!(
                "warning: {}",
                Failure::of(error).hint(all_the_same)
            ));
        });
        let env = |name: &str| std::env::var(name).ok();
        run::run(&config, warnings, env, |address, is_tls| {
            let scheme = if is_tls { "https" } else { "http" };
            // Whoever started it may not listen.
            let _ = print(&format!("{scheme}://{address}\n"));
        })?;
        Ok(0)
    }
}

impl Serve {
    /// The file's, and over it the flags'.
    fn config(self) -> Result<Config, Failure> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        if let Some(text) = &self.addr {
            config.addr = address(text)?;
        }
        if let Some(root) = self.root {
            config.root = root;
        }
        if self.htpasswd.is_some() {
            config.htpasswd = self.htpasswd;
        }
        if let (Some(certificates), Some(key)) = (self.tls_cert, self.tls_key) {
            let clients = config.tls.take().and_then(|files| files.client_ca);
            config.tls = Some(tls::Files {
                certificates,
                key,
                client_ca: clients,
            });
        }
        Ok(config)
    }
}

/// `HOST:PORT`, or `:PORT` for all addresses.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    let whole = match text.starts_with(':') {
        true => format!("0.0.0.0{text}"),
        false => text.to_owned(),
    };
    let failed = |why: String| {
        Failure::new(why)
            .within(format!("cannot listen on `{text}`"))
            .hint("write HOST:PORT, such as 127.0.0.1:5000, or :5000 for all addresses")
    };
    let mut found = whole
        .to_socket_addrs()
        .map_err(|error| failed(error.to_string()))?;
    found
        .next()
        .ok_or_else(|| failed("the name has no address".to_owned()))
}
