//! What can go wrong in the engine's verbs on containers.

use std::path::PathBuf;

use berth_model::ErrorKind;
use berth_model::task::RuntimeFailure;

/// A verb that failed. The cause is in `source`, never in the text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No container has this name or id.
    #[error("no such container: {name}")]
    NoContainer {
        /// As given.
        name: String,
    },
    /// No network has this name or id.
    #[error("no such network: {name}")]
    NoNetwork {
        /// As given.
        name: String,
    },
    /// Several ids of networks begin so.
    #[error("network {name} is ambiguous ({count} matches found based on ID prefix)")]
    AmbiguousNetwork {
        /// As given.
        name: String,
        /// How many.
        count: usize,
    },
    /// A network of that name is there.
    #[error("network with name {name} already exists")]
    NetworkExists {
        /// The name.
        name: String,
    },
    /// Containers are in the network.
    #[error("error while removing network: network {name} id {id} has active endpoints")]
    NetworkInUse {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
    },
    /// The container is not in the network.
    #[error("container {container} is not connected to network {network}")]
    NotConnected {
        /// Its id.
        container: String,
        /// The network, as given.
        network: String,
    },
    /// Something that is not done with this network, or this container.
    #[error("{message}")]
    NetworkDenied {
        /// What, in Docker's words.
        message: String,
    },
    /// No network of this name is settings for others.
    #[error("configuration network \"{name}\" does not exist")]
    NoConfiguration {
        /// As given.
        name: String,
    },
    /// No driver of networks, or of their addresses, has this name.
    #[error("plugin \"{driver}\" not found")]
    NoNetworkPlugin {
        /// As given.
        driver: String,
    },
    /// A step of the network's.
    #[error("cannot {action}")]
    Network {
        /// What was to be done.
        action: &'static str,
        /// The cause.
        #[source]
        source: berth_net::Error,
    },
    /// Containers' names.
    #[error("cannot look after the names of containers")]
    Names(#[source] berth_dns::Error),
    /// A port of the host could not be had.
    #[error("driver failed programming external connectivity on endpoint {name}")]
    Publish {
        /// The container's name.
        name: String,
        /// The sort of failure.
        kind: ErrorKind,
        /// What the user can do, when known.
        hint: Option<String>,
        /// The cause, in Docker's words.
        #[source]
        source: Chain,
    },
    /// Several ids begin so.
    #[error("`{name}` begins several ids")]
    Ambiguous {
        /// As given.
        name: String,
    },
    /// Not a name.
    #[error("`{name}` is not a valid name for a container")]
    BadName {
        /// As given.
        name: String,
    },
    /// The name is taken.
    #[error("the name `{name}` is in use by the container {id}")]
    NameTaken {
        /// The name.
        name: String,
        /// By which container.
        id: String,
    },
    /// The container's state does not permit it.
    #[error("cannot {action} the container {id}: it is {state}")]
    WrongState {
        /// What was asked for.
        action: &'static str,
        /// The container.
        id: String,
        /// Its state.
        state: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// What was asked makes no sense.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A file of the engine's does not hold what it should.
    #[error("`{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A newer version has written this.
    #[error("`{}` is of a newer version of berth", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// A step on files.
    #[error("cannot {action}")]
    Files {
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: berth_fs::Error,
    },
    /// A system call.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The store.
    #[error("cannot {action}")]
    Store {
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: berth_store::Error,
    },
    /// The image cannot be used.
    #[error("cannot use the image `{image}`")]
    Image {
        /// As given.
        image: String,
        /// The cause.
        #[source]
        source: Box<crate::ready::ReadyError>,
    },
    /// The snapshots.
    #[error("cannot prepare the root file system")]
    Snapshot(#[source] berth_snapshot::Error),
    /// The cgroups.
    #[error("cannot {action} the cgroup")]
    Cgroup {
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: berth_cgroup::Error,
    },
    /// The seccomp profile is no good.
    #[error("cannot use the seccomp profile")]
    Profile(#[source] berth_seccomp::Error),
    /// The OCI spec could not be made.
    #[error("cannot describe the container {id}")]
    Spec {
        /// The container.
        id: String,
        /// The cause.
        #[source]
        source: crate::spec::Error,
    },
    /// A program of ours could not be run.
    #[error("cannot run `{}`", program.display())]
    Helper {
        /// The program.
        program: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The runtime's report: nothing runs.
    #[error("cannot start the container {id}")]
    Start {
        /// The container.
        id: String,
        /// The runtime's words.
        failure: RuntimeFailure,
        /// The same as a chain.
        #[source]
        source: Chain,
    },
    /// The shim ended without a report.
    #[error("the shim of the container {id} died before it reported")]
    ShimDied {
        /// The container.
        id: String,
    },
    /// Waiting for the end.
    #[error("cannot learn how the container {id} ended")]
    Exit {
        /// The container.
        id: String,
        /// The cause.
        #[source]
        source: crate::exit::Error,
    },
    /// It was killed and is still there.
    #[error("the container {id} does not end: a kill is pending")]
    KillPending {
        /// The container.
        id: String,
    },
    /// No volume has this name.
    #[error("get {name}: no such volume")]
    NoVolume {
        /// As given.
        name: String,
    },
    /// No plugin has this name.
    #[error("error looking up volume plugin {driver}: plugin \"{driver}\" not found")]
    NoPlugin {
        /// As given.
        driver: String,
    },
    /// A volume plugin.
    #[error("{verb} of the volume plugin {driver} failed")]
    Plugin {
        /// The plugin.
        driver: String,
        /// What was asked of it.
        verb: String,
        /// Its words, or why there are none.
        #[source]
        source: std::io::Error,
    },
    /// A volume of that name is another driver's.
    #[error(
        "create {name}: a volume named {name} already exists with the {driver} driver. Choose a different volume name"
    )]
    VolumeExists {
        /// The name.
        name: String,
        /// Whose it is.
        driver: String,
    },
    /// Containers name the volume.
    #[error("remove {name}: volume is in use - [{}]", containers.join(", "))]
    VolumeInUse {
        /// The volume.
        name: String,
        /// Their ids.
        containers: Vec<String>,
    },
    /// The image's files could not be copied.
    #[error("cannot copy the image's files into the volume {name}")]
    FillVolume {
        /// The volume.
        name: String,
        /// The sort of failure.
        kind: ErrorKind,
        /// The copier's report as a chain of causes.
        #[source]
        source: Chain,
    },
    /// There is nothing at this path inside.
    #[error("could not find the file {path} in container {container}")]
    NoPath {
        /// The container.
        container: String,
        /// As given.
        path: String,
    },
    /// Files could not be copied into or out of it.
    #[error("{message}")]
    CopyFiles {
        /// What is wrong, in Docker's words where it has some.
        message: String,
        /// The sort of failure.
        kind: ErrorKind,
        /// What the user can do, when known.
        hint: Option<String>,
        /// Causes.
        #[source]
        source: Option<Chain>,
    },
    /// Its files could not be read.
    #[error("cannot read the files of the container {id}")]
    ReadFiles {
        /// The container.
        id: String,
        /// The sort of failure.
        kind: ErrorKind,
        /// What the user can do, when known.
        hint: Option<String>,
        /// The reader's report as a chain of causes.
        #[source]
        source: Chain,
    },
    /// The connection to its monitor.
    #[error("cannot attach to the container {id}")]
    Attach {
        /// The container.
        id: String,
        /// The cause.
        #[source]
        source: crate::attach::Error,
    },
}

/// Messages of another process, outermost first, as a chain of causes.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Chain {
    message: String,
    #[source]
    below: Option<Box<Chain>>,
}

impl Chain {
    /// The chain of a report: what failed, then the causes below it. The reporter may be in an attacker's hands:
    /// what is longer than any honest report is cut.
    pub fn of(message: &str, causes: &[String]) -> Chain {
        let honest = &causes[..causes.len().min(CAUSES)];
        let below = honest.iter().rev().fold(None, |below, message| {
            Some(Box::new(Chain {
                message: message.clone(),
                below,
            }))
        });
        Chain {
            message: message.to_owned(),
            below,
        }
    }
}

/// More links than any chain of ours has.
const CAUSES: usize = 64;

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoContainer { .. }
            | Error::NoNetwork { .. }
            | Error::NoConfiguration { .. }
            | Error::NoNetworkPlugin { .. }
            | Error::NoVolume { .. }
            | Error::NoPath { .. } => ErrorKind::NotFound,
            Error::CopyFiles { kind, .. } => *kind,
            Error::AmbiguousNetwork { .. } => ErrorKind::InvalidInput,
            Error::NetworkExists { .. } => ErrorKind::AlreadyExists,
            // As Docker has it.
            Error::NotConnected { .. } => ErrorKind::Internal,
            // Docker's clients know these by 403.
            Error::NetworkInUse { .. } | Error::NetworkDenied { .. } => ErrorKind::Denied,
            Error::Network { source, .. } => source.kind(),
            Error::Names(source) => source.kind(),
            Error::Publish { kind, .. } => *kind,
            Error::Ambiguous { .. } | Error::BadName { .. } | Error::Invalid { .. } => {
                ErrorKind::InvalidInput
            }
            Error::NameTaken { .. } => ErrorKind::AlreadyExists,
            Error::WrongState { .. } | Error::VolumeInUse { .. } => ErrorKind::Conflict,
            Error::VolumeExists { .. } => ErrorKind::Conflict,
            Error::FillVolume { kind, .. } => *kind,
            Error::NoPlugin { .. } => ErrorKind::NotFound,
            Error::Plugin { .. } => ErrorKind::Unavailable,
            Error::Damaged { .. } => ErrorKind::Corrupt,
            Error::Newer { .. } => ErrorKind::Unsupported,
            Error::Files { source, .. } => source.kind(),
            Error::Store { source, .. } => source.kind(),
            Error::Snapshot(source) => source.kind(),
            Error::Image { source, .. } => source.kind(),
            Error::Cgroup { source, .. } => source.kind(),
            Error::Spec { source, .. } => source.kind(),
            Error::Profile(source) => source.kind(),
            Error::Start { failure, .. } => failure.kind,
            Error::Exit { source, .. } => source.kind(),
            Error::Attach { source, .. } => source.kind(),
            Error::ReadFiles { kind, .. } => *kind,
            Error::KillPending { .. } => ErrorKind::Unavailable,
            Error::Io { .. } | Error::Helper { .. } | Error::ShimDied { .. } => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoContainer { .. } => Some("`berth ps -a` lists all containers".to_owned()),
            Error::NoNetwork { .. } => Some("`berth network ls` lists all networks".to_owned()),
            Error::NoConfiguration { .. } => Some("`--config-only` makes one".to_owned()),
            Error::NetworkInUse { name, .. } => Some(format!(
                "`berth network inspect {name}` shows the containers; `berth network disconnect` takes one out"
            )),
            Error::NoNetworkPlugin { .. } => {
                Some("the drivers are bridge, macvlan and ipvlan".to_owned())
            }
            Error::NetworkExists { .. }
            | Error::NetworkDenied { .. }
            | Error::NotConnected { .. } => None,
            Error::Network { source, .. } => source.hint(),
            Error::Names(source) => source.hint(),
            Error::Publish { hint, .. } => hint.clone(),
            Error::Ambiguous { .. } | Error::AmbiguousNetwork { .. } => Some("give more digits, or the name".to_owned()),
            Error::NoVolume { .. } => Some("`berth volume ls` lists all volumes".to_owned()),
            Error::VolumeInUse { .. } => Some(
                "remove the containers first: `berth ps -a --filter volume=NAME` lists them".to_owned(),
            ),
            Error::CopyFiles { hint, .. } => hint.clone(),
            Error::NoPlugin { .. } => Some(
                "plugins are looked for in /run/docker/plugins, /etc/docker/plugins and /usr/lib/docker/plugins; the driver of this host's directories is `local`".to_owned(),
            ),
            Error::Plugin { .. } => Some("its own log says more".to_owned()),
            Error::NoPath { .. } | Error::VolumeExists { .. } => None,
            Error::FillVolume { .. } => {
                Some("`nocopy` among the mount's options leaves the volume empty".to_owned())
            }
            Error::BadName { .. } => Some(
                "a name has two or more of letters, digits, `_`, `.` and `-`, and begins with a letter or digit"
                    .to_owned(),
            ),
            Error::NameTaken { name, .. } => Some(format!(
                "choose another name, or remove that container: `berth rm {name}`"
            )),
            Error::WrongState { hint, .. } => Some((*hint).to_owned()),
            Error::Invalid { hint, .. } => hint.clone(),
            Error::Damaged { .. } => Some("`berth fsck` says what is wrong, `--repair` mends it".to_owned()),
            Error::Newer { .. } => Some("take that version, or a later one: this one leaves it alone".to_owned()),
            Error::Files { source, .. } => source.hint(),
            Error::Store { source, .. } => source.hint(),
            Error::Snapshot(source) => source.hint(),
            Error::Image { source, .. } => source.hint(),
            Error::Cgroup { source, .. } => source.hint(),
            Error::Spec { source, .. } => source.hint(),
            Error::Profile(source) => source.hint(),
            Error::Start { failure, .. } => failure.hint.clone(),
            Error::Attach { source, .. } => source.hint(),
            Error::ReadFiles { hint, .. } => hint.clone(),
            Error::KillPending { .. } => Some(
                "a process of it is stuck in the kernel (a hung disk or network mount?); it ends when that does"
                    .to_owned(),
            ),
            Error::Helper { .. } => Some(
                "berth-runtime and berth-monitor belong beside berth: is the installation complete?".to_owned(),
            ),
            Error::ShimDied { .. } => Some("`berth fsck --repair` clears what it left".to_owned()),
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("the disk is full: free space, or remove images and containers".to_owned())
            }
            Error::Io { .. } | Error::Exit { .. } => None,
        }
    }
}

/// `?` for a step on files.
pub(crate) fn files(action: &'static str) -> impl FnOnce(berth_fs::Error) -> Error {
    move |source| Error::Files { action, source }
}
