//! What can go wrong with a network.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use berth_model::ErrorKind;
use berth_model::config::Protocol;

use crate::Subnet;

/// A failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request to the kernel.
    #[error("cannot {action}")]
    Kernel {
        /// What was to be done.
        action: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel has no nf_tables, or no NAT in it.
    #[error("the kernel has no nf_tables with address translation")]
    NoTables {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The name is a device of another kind.
    #[error("the network device `{name}` is no bridge")]
    NotABridge {
        /// The name.
        name: String,
    },
    /// The device that a network is over.
    #[error("the host has no network device `{name}`")]
    NoParent {
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A sort of device that the kernel lacks.
    #[error("the kernel has no network devices of this driver")]
    NoKind {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A kernel setting.
    #[error("cannot set `{}`", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// All private subnets are in use.
    #[error("no private subnet is free on this host")]
    NoSubnet,
    /// All addresses are in use.
    #[error("no address is free in {subnet}")]
    Full {
        /// The subnet.
        subnet: Subnet,
    },
    /// An address that was asked for is another's.
    #[error("address {address} is already in use")]
    Taken {
        /// The address.
        address: IpAddr,
    },
    /// Reservations.
    #[error("cannot {action} `{}`", path.display())]
    Reservation {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A host port that cannot be had.
    #[error("cannot take port {port}/{protocol} of {host}")]
    Port {
        /// TCP, UDP, SCTP.
        protocol: Protocol,
        /// The host's address.
        host: IpAddr,
        /// The port.
        port: u16,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoTables { .. } | Error::NoKind { .. } => ErrorKind::Unsupported,
            Error::NoParent { .. } => ErrorKind::NotFound,
            Error::NotABridge { .. } | Error::Taken { .. } => ErrorKind::Conflict,
            Error::NoSubnet | Error::Full { .. } => ErrorKind::Unavailable,
            Error::Port { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                ErrorKind::Conflict
            }
            Error::Port { .. } => ErrorKind::InvalidInput,
            Error::Kernel { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ErrorKind::Denied
            }
            Error::Kernel { .. } | Error::Setting { .. } | Error::Reservation { .. } => {
                ErrorKind::Internal
            }
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::NoTables { .. } => {
                "it needs CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_MASQ and CONFIG_NFT_FIB; `--network none` and \
                 `--network host` work without"
            }
            Error::NotABridge { .. } => {
                "remove or rename it, or choose another name for the bridge"
            }
            Error::NoKind { .. } => {
                "macvlan needs CONFIG_MACVLAN, ipvlan CONFIG_IPVLAN, a parent such as eth0.7 CONFIG_VLAN_8021Q, and none \
                 at all CONFIG_DUMMY; a bridge network needs none of these"
            }
            Error::NoParent { .. } => "`ip link` shows the devices that there are",
            Error::NoSubnet => {
                "say which one to use: --bridge-subnet 10.9.0.0/16 (BERTH_BRIDGE_SUBNET)"
            }
            Error::Full { .. } => "stop containers that are not needed",
            Error::Port { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "`berth ps` shows the ports of containers, `ss -lnp` those of other programs"
            }
            Error::Port { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                "`ip address` shows the host's addresses"
            }
            Error::Kernel { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "a bridge network needs CAP_NET_ADMIN; `--network none` and `--network host` do not"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    pub(crate) fn kernel(action: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let action = action.into();
        move |source| Error::Kernel { action, source }
    }
}
