//! `berth daemon`.

mod log;

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use berth_daemon::{Format, Level, PublishDefault, Settings, Supervisor, Told};
use berth_docker::{Address, Options, SharedSettings, Step};
use berth_engine::Engine;
use berth_model::Event;
use berth_model::event::Subject;
use berth_serve::tls;

use crate::cmd::print;
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};
use log::Log;

/// Serve the Docker Engine API
///
/// Docker's clients use it by `DOCKER_HOST=unix://PATH`. Containers need no daemon: they run on when it ends, and `berth`'s
/// own verbs see what its clients do. It checks the health of containers that have a check, and starts those whose restart
/// policy says so, after a reboot for example. Serves until SIGTERM or SIGINT.
///
/// Settings are in /etc/berth/daemon.toml, or an ordinary user's ~/.config/berth/daemon.toml: hosts, metrics_addr,
/// restart_unhealthy, publish_default, stats_interval_s, labels, log_level, log_format, log_driver and the tables
/// log_opts (of log_driver) and tls (certificates, key, client_ca). Options given here come first. SIGHUP has the file
/// read again: all but hosts, metrics_addr and tls count at once; a file with an error changes nothing.
#[derive(Debug, clap::Args)]
pub struct Daemon {
    /// Where to listen: unix:///PATH, tcp://HOST:PORT with TLS, or fd:// for the sockets of a service manager; by default /run/berth.sock, an ordinary user's in his directory of what runs now
    #[arg(short = 'H', long, value_name = "ADDRESS", action = clap::ArgAction::Append)]
    host: Vec<String>,
    /// File of settings
    #[arg(
        long,
        value_name = "FILE",
        env = "BERTH_DAEMON",
        hide_env_values = true
    )]
    config_file: Option<PathBuf>,
    /// TLS, which TCP needs: the daemon's certificate, PEM
    #[arg(long, value_name = "FILE", requires_all = ["tlskey", "tlscacert"])]
    tlscert: Option<PathBuf>,
    /// The certificate's key, PEM
    #[arg(long, value_name = "FILE", requires = "tlscert")]
    tlskey: Option<PathBuf>,
    /// The authority of the clients' certificates, PEM; who has one may do everything
    #[arg(long, value_name = "FILE", requires = "tlscert")]
    tlscacert: Option<PathBuf>,
    /// Restart every container that is unhealthy, but those labelled berth.restart-unhealthy=false; else only those labelled berth.restart-unhealthy=true
    #[arg(long)]
    restart_unhealthy: bool,
    /// Where Prometheus is told counts, by GET /metrics: HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    metrics_addr: Option<SocketAddr>,
    /// How much the daemon says on standard error: debug, info, warn, error
    #[arg(short, long, value_name = "LEVEL", value_parser = level)]
    log_level: Option<Level>,
    /// How: text, or json (an object a line)
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    log_format: Option<Format>,
    /// As docker's: clients always need a certificate here
    #[arg(long, hide = true)]
    tlsverify: bool,
}

impl Verb for Daemon {
    fn run(self, globals: &Globals) -> Outcome {
        // Before anything else opens files or starts programs.
        let given = given_sockets();
        berth_sys::later::in_threads();
        let settings = self.settings()?;
        let engine = Arc::new(context::engine(globals)?);
        let log = Arc::new(Log::default());
        log.set(&settings.live);
        let supervisor = Supervisor::start(engine.clone(), &settings.live, {
            let log = log.clone();
            Arc::new(move |told| match told {
                Told::Info(text) => log.info(text),
                Told::Failed(what, error) => {
                    log.warn(&Failure::hinted(error, error.hint()).within(what));
                }
                Told::Audit(audit) => log.audit(audit),
            })
        })?;
        let options = self.options(globals, &settings, given, &engine, &supervisor, &log)?;
        let mut resident = Resident {
            shared: options.settings.clone(),
            daemon: &self,
            engine: engine.clone(),
            log,
            settings,
            supervisor,
        };
        resident.apply();
        berth_docker::run(engine, &options, |step| match step {
            Step::Listening(addresses) => {
                for address in addresses {
                    resident.log.info(&format!("listening at {address}"));
                }
                // A service manager or a script waits for it; when it does not, nothing is lost.
                _ = print("ready\n");
                resident.tell_manager("READY=1");
            }
            Step::Reload => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
                let now = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
                resident.tell_manager(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
                resident.reload();
                resident.tell_manager("READY=1");
            }
            Step::Stopping => resident.tell_manager("STOPPING=1"),
        })?;
        Ok(0)
    }
}

/// The daemon, while it serves.
struct Resident<'a> {
    daemon: &'a Daemon,
    engine: Arc<Engine>,
    supervisor: Supervisor,
    log: Arc<Log>,
    settings: Settings,
    shared: SharedSettings,
}

impl Resident<'_> {
    /// What the settings say counts from now on.
    fn apply(&self) {
        let live = &self.settings.live;
        self.log.set(live);
        self.supervisor.set(live);
        self.shared.set(berth_docker::Settings {
            log: live.log.clone(),
            publish_at: match live.publish_default {
                PublishDefault::All => None,
                PublishDefault::Loopback => Some(Ipv4Addr::LOCALHOST.into()),
            },
            labels: live.labels.clone(),
        });
    }

    /// Reads the settings again; those that make no sense change nothing.
    fn reload(&mut self) {
        let new = match self.daemon.settings() {
            Ok(new) => new,
            Err(failure) => {
                let what = "the settings stay as they were";
                return self.log.warn(&failure.within(what));
            }
        };
        let later = self.settings.needs_restart(&new);
        self.settings.live = new.live;
        self.apply();
        self.log.info("the settings were read again");
        if !later.is_empty() {
            let text = format!("{} counts at the next start", later.join(", "));
            self.log.warn(&Failure::new(text));
        }
        let event = Event::new(Subject::Daemon, "reload", "");
        let event = event.with("labels", self.settings.live.labels.join(","));
        self.engine.record(event);
    }

    fn tell_manager(&self, state: &str) {
        if let Ok(socket) = std::env::var("NOTIFY_SOCKET")
            && let Err(error) = berth_daemon::notify(&socket, state)
        {
            self.log.warn(&Failure::of(&error));
        }
    }
}

/// The sockets that the service manager has opened for us.
fn given_sockets() -> Vec<OwnedFd> {
    let variable = |name| std::env::var(name).ok();
    let (pid, count) = (variable("LISTEN_PID"), variable("LISTEN_FDS"));
    berth_daemon::inherited_sockets(pid.as_deref(), count.as_deref())
}

fn level(text: &str) -> Result<Level, String> {
    Ok(match text {
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => return Err("the levels are debug, info, warn and error".to_owned()),
    })
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("the formats are text and json".to_owned()),
    }
}

impl Daemon {
    /// The file's settings, and over them the command line's.
    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = match &self.config_file {
            Some(path) => Settings::load(path)?,
            None => match Settings::load(&default_file()) {
                Err(berth_daemon::Error::ReadSettings { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound =>
                {
                    Settings::default()
                }
                loaded => loaded?,
            },
        };
        if self.tlscert.is_some() {
            settings.tls.certificates = self.tlscert.clone();
            settings.tls.key = self.tlskey.clone();
            settings.tls.client_ca = self.tlscacert.clone();
        }
        settings.metrics_addr = self.metrics_addr.or(settings.metrics_addr);
        let live = &mut settings.live;
        live.restart_unhealthy |= self.restart_unhealthy;
        live.log_level = self.log_level.unwrap_or(live.log_level);
        live.log_format = self.log_format.unwrap_or(live.log_format);
        Ok(settings)
    }

    fn options(
        &self,
        globals: &Globals,
        settings: &Settings,
        given: Vec<OwnedFd>,
        engine: &Arc<Engine>,
        supervisor: &Supervisor,
        log: &Arc<Log>,
    ) -> Result<Options, Failure> {
        let tls = &settings.tls;
        let files = |(certificates, key): (&PathBuf, &PathBuf)| tls::Files {
            certificates: certificates.clone(),
            key: key.clone(),
            client_ca: tls.client_ca.clone(),
        };
        let (engine, counters) = (engine.clone(), supervisor.counters().clone());
        let metrics: berth_docker::Metrics = Arc::new(move || {
            let ids = engine.ids().unwrap_or_default();
            // One that was just removed has none.
            let states = ids.iter().filter_map(|id| engine.status(id).ok());
            counters.text(&states.collect::<Vec<_>>())
        });
        let addresses = self.addresses(globals, settings, &given)?;
        if !given.is_empty() && !addresses.contains(&Address::Given) {
            let unused = Failure::new("the service manager's sockets are not used");
            log.warn(&unused.hint("add fd:// to the hosts"));
        }
        let log = log.clone();
        Ok(Options {
            addresses,
            given,
            environment: |name| {
                let value = std::env::var_os(name)?;
                Some(value.to_string_lossy().into_owned())
            },
            settings: SharedSettings::default(),
            metrics: settings.metrics_addr.map(|address| (address, metrics)),
            tls: tls.certificates.as_ref().zip(tls.key.as_ref()).map(files),
            warn: Arc::new(move |error| log.warn(&Failure::hinted(&error, error.hint()))),
        })
    }

    fn addresses(
        &self,
        globals: &Globals,
        settings: &Settings,
        given: &[OwnedFd],
    ) -> Result<Vec<Address>, Failure> {
        if !self.host.is_empty() {
            return self.host.iter().map(|host| address(host)).collect();
        }
        if !settings.hosts.is_empty() {
            let hosts = settings.hosts.iter();
            let within = |line: usize| format!("cannot use line {line} of the settings");
            return hosts
                .map(|host| address(&host.text).map_err(|error| error.within(within(host.line))))
                .collect();
        }
        Ok(vec![match given.is_empty() {
            true => Address::Unix(globals.socket()),
            false => Address::Given,
        }])
    }
}

/// Where settings are, if nobody says.
fn default_file() -> PathBuf {
    let directory = |name: &str| std::env::var_os(name).filter(|dir| !dir.is_empty());
    let own = directory("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| directory("HOME").map(|home| PathBuf::from(home).join(".config")));
    let own = own.map(|dir| dir.join("berth/daemon.toml"));
    own.filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("/etc/berth/daemon.toml"))
}

fn address(text: &str) -> Result<Address, Failure> {
    let wrong = || {
        Failure::new(format!("`{text}` is no address to listen at"))
            .hint("an address is unix:///PATH, tcp://HOST:PORT or fd://")
    };
    if text == "fd://" {
        return Ok(Address::Given);
    }
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
