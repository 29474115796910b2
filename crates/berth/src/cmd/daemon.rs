//! `berth daemon`.

use std::net::ToSocketAddrs as _;
use std::path::PathBuf;
use std::sync::Arc;

use berth_docker::{Address, Options};
use berth_serve::tls;

use crate::cmd::{note, print};
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Serve the Docker Engine API
///
/// Docker's clients use it by `DOCKER_HOST=unix://PATH`. Containers need no daemon: they run on when it ends, and `berth`'s
/// own verbs see what its clients do. Serves until SIGTERM or SIGINT.
#[derive(Debug, clap::Args)]
pub struct Daemon {
    /// Where to listen: unix:///PATH, or tcp://HOST:PORT with TLS; by default /run/berth.sock, an ordinary user's in his directory of what runs now
    #[arg(short = 'H', long, value_name = "ADDRESS", action = clap::ArgAction::Append)]
    host: Vec<String>,
    /// TLS, which TCP needs: the daemon's certificate, PEM
    #[arg(long, value_name = "FILE", requires_all = ["tlskey", "tlscacert"])]
    tlscert: Option<PathBuf>,
    /// The certificate's key, PEM
    #[arg(long, value_name = "FILE", requires = "tlscert")]
    tlskey: Option<PathBuf>,
    /// The authority of the clients' certificates, PEM; who has one may do everything
    #[arg(long, value_name = "FILE", requires = "tlscert")]
    tlscacert: Option<PathBuf>,
    /// As docker's: clients always need a certificate here
    #[arg(long, hide = true)]
    tlsverify: bool,
}

impl Verb for Daemon {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = Arc::new(context::engine(globals)?);
        let files = |(certificates, key): (&PathBuf, &PathBuf)| tls::Files {
            certificates: certificates.clone(),
            key: key.clone(),
            client_ca: self.tlscacert.clone(),
        };
        let options = Options {
            addresses: self.addresses(globals)?,
            environment: |name| {
                let value = std::env::var_os(name)?;
                Some(value.to_string_lossy().into_owned())
            },
            tls: self.tlscert.as_ref().zip(self.tlskey.as_ref()).map(files),
            warn: Arc::new(|error| {
                let failure = Failure::hinted(&error, error.hint());
                note(&format!("warning: {failure}"));
            }),
            failed: Arc::new(|what, error| {
                let failure = Failure::hinted(error, error.hint()).within(what);
                note(&format!("warning: {failure}"));
            }),
        };
        berth_docker::run(engine, &options, |addresses| {
            for address in addresses {
                note(&format!("listening at {address}\n"));
            }
            // A service manager or a script waits for it; when it does not, nothing is lost.
            _ = print("ready\n");
        })?;
        Ok(0)
    }
}

impl Daemon {
    fn addresses(&self, globals: &Globals) -> Result<Vec<Address>, Failure> {
        if self.host.is_empty() {
            return Ok(vec![Address::Unix(globals.socket())]);
        }
        self.host.iter().map(|host| address(host)).collect()
    }
}

fn address(text: &str) -> Result<Address, Failure> {
    let wrong = || {
        Failure::usage(format!("`{text}` is no address to listen at"))
            .hint("an address is unix:///PATH or tcp://HOST:PORT")
    };
    if let Some(path) = text.strip_prefix("unix://") {
        return match path.starts_with('/') {
            true => Ok(Address::Unix(path.into())),
            false => Err(wrong()),
        };
    }
    let host = text.strip_prefix("tcp://").ok_or_else(wrong)?;
    let resolved = host.to_socket_addrs().map_err(|_| wrong())?;
    resolved
        .into_iter()
        .next()
        .map(Address::Tcp)
        .ok_or_else(wrong)
}
