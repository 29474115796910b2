//! Options before the verb: where the state is, and what else holds for every verb.
//! Only here is the environment read for them; the engine is told.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use berth_engine::network::Subnet;

/// Options before the verb.
#[derive(Debug, Clone, clap::Args)]
pub struct Globals {
    /// Directory of images and containers
    #[arg(long, value_name = "DIR", env = "BERTH_ROOT", hide_env_values = true)]
    pub root: Option<PathBuf>,

    /// Directory of what runs now; emptied by a reboot
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_RUN_DIR",
        hide_env_values = true
    )]
    pub run_dir: Option<PathBuf>,

    /// Cgroup that holds the containers' cgroups
    #[arg(
        long,
        value_name = "PATH",
        env = "BERTH_CGROUP_PARENT",
        hide_env_values = true
    )]
    pub cgroup_parent: Option<String>,

    /// Directory of berth-runtime and berth-monitor
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_LIBEXEC",
        hide = true,
        hide_env_values = true
    )]
    pub libexec: Option<PathBuf>,

    /// A daemon started us, for a client elsewhere
    #[arg(long, hide = true)]
    pub for_client: bool,

    /// The caller is root of a user namespace of rootless containers only
    #[arg(long, hide = true)]
    pub rootless: bool,
    /// Device of the bridge network
    #[arg(
        long,
        value_name = "NAME",
        env = "BERTH_BRIDGE_NAME",
        hide = true,
        hide_env_values = true
    )]
    pub bridge_name: Option<String>,

    /// Subnet of the bridge network
    #[arg(
        long,
        value_name = "SUBNET",
        env = "BERTH_BRIDGE_SUBNET",
        hide = true,
        hide_env_values = true,
        value_parser = subnet
    )]
    pub bridge_subnet: Option<Subnet>,

    /// Say more about what is done, on standard error
    #[arg(short = 'D', long)]
    pub debug: bool,

    /// Say more (debug) or as much as ever (info, warn, error, fatal)
    #[arg(short, long, value_name = "LEVEL", default_value = "info", value_parser = ["debug", "info", "warn", "error", "fatal"], hide_possible_values = true)]
    log_level: String,

    /// Directory of the client's logins and contexts, as docker's (DOCKER_CONFIG; by default ~/.docker)
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,

    /// Use the daemon of this context, or with `default` none (BERTH_CONTEXT, DOCKER_CONTEXT)
    #[arg(short, long, value_name = "NAME")]
    pub context: Option<String>,

    /// Use this daemon: unix://, tcp:// with certificates, or ssh:// (BERTH_HOST, DOCKER_HOST)
    #[arg(short = 'H', long, value_name = "ADDRESS")]
    pub host: Option<String>,

    #[command(flatten)]
    pub tls: Tls,

    /// What was given to the group that the verb is in (`compose`), between its name and the verb's
    #[arg(skip)]
    pub above: Option<clap::ArgMatches>,
}

/// Certificates for a daemon behind TCP; without them, those of DOCKER_CERT_PATH or the client's directory
#[derive(Debug, Clone, clap::Args)]
pub struct Tls {
    /// Accepted for docker's sake: TCP is always TLS, and the daemon is always verified
    #[arg(long)]
    tls: bool,
    /// Accepted for docker's sake
    #[arg(long)]
    tlsverify: bool,
    /// Who has signed the daemon's certificate (ca.pem)
    #[arg(long, value_name = "FILE")]
    pub tlscacert: Option<PathBuf>,
    /// Our certificate (cert.pem)
    #[arg(long, value_name = "FILE")]
    pub tlscert: Option<PathBuf>,
    /// Its key (key.pem)
    #[arg(long, value_name = "FILE")]
    pub tlskey: Option<PathBuf>,
}

/// The client's directory, as `--config` or the environment says: read once, since it is asked for in many places.
static CLIENT_CONFIG: OnceLock<PathBuf> = OnceLock::new();

/// Directory of logins and contexts; `None`: there is no home.
pub fn client_config() -> Option<PathBuf> {
    let given = |name: &str| std::env::var_os(name).filter(|dir| !dir.is_empty());
    let found = CLIENT_CONFIG.get().cloned();
    found
        .or_else(|| given("DOCKER_CONFIG").map(PathBuf::from))
        .or_else(|| given("HOME").map(|home| PathBuf::from(home).join(".docker")))
}

impl Globals {
    /// Takes what concerns more than the verb: to be called once.
    pub fn settle(&mut self) {
        self.debug |= self.log_level == "debug";
        if let Some(config) = &self.config {
            // Set by nobody else.
            let _ = CLIENT_CONFIG.set(config.clone());
        }
    }

    /// `--root`, or its default.
    pub fn root_dir(&self) -> PathBuf {
        self.root.clone().unwrap_or_else(|| match rootless() {
            false => PathBuf::from("/var/lib/berth"),
            true => xdg("XDG_DATA_HOME", ".local/share").join("berth"),
        })
    }

    /// `--run-dir`, or its default.
    pub fn run_directory(&self) -> PathBuf {
        self.run_dir.clone().unwrap_or_else(default_run_directory)
    }

    /// Where the daemon listens, if nobody says anything.
    pub fn socket(&self) -> PathBuf {
        socket_of(&self.run_directory())
    }
}

/// The daemon's socket: an ordinary user's in the directory of what runs now, where only he gets; root's beside it
/// (`/run/berth.sock`), so that members of its group get there.
pub fn socket_of(run_dir: &Path) -> PathBuf {
    match rootless() {
        true => run_dir.join("berth.sock"),
        false => run_dir.with_extension("sock"),
    }
}

/// `--run-dir`, if nobody says anything.
pub fn default_run_directory() -> PathBuf {
    match rootless() {
        false => PathBuf::from("/run/berth"),
        true => match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => PathBuf::from(dir).join("berth"),
            // Without a session there is none; a private place under /tmp does as well.
            None => PathBuf::from(format!(
                "/tmp/berth-run-{}",
                rustix::process::geteuid().as_raw()
            )),
        },
    }
}

/// Whether an ordinary user called.
pub fn rootless() -> bool {
    !rustix::process::geteuid().is_root()
}

fn subnet(text: &str) -> Result<Subnet, String> {
    let subnet: Subnet = text.parse()?;
    match subnet.is_usable() {
        true => Ok(subnet),
        false => Err(format!("`{text}` has no room for a container")),
    }
}

fn xdg(variable: &str, below_home: &str) -> PathBuf {
    match std::env::var_os(variable).filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => {
            PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into())).join(below_home)
        }
    }
}
