//! The OCI runtime and shim: makes a container's process from a bundle, and gets out of the way.
//!
//! Single-threaded, synchronous, static. It reads its bundle and its own state directory, nothing else.
//! A reader starts at [`launch`] (the caller's side), then [`init`] (the container's side).

pub mod attributes;
mod bind_source;
pub mod bundle;
pub mod caps;
mod cgroup_entry;
mod cgroup_mount;
mod cgroup_owner;
pub mod claim;
pub mod cmd;
mod copy_up;
mod criu;
pub mod devices;
mod environment;
mod error;
pub mod exec;
mod filter;
pub mod hooks;
mod id_maps;
pub mod init;
mod join;
mod json;
pub mod labels;
pub mod launch;
mod maker;
pub mod masks;
mod mount_by_path;
pub mod mount_options;
mod mount_source;
mod mount_target;
pub mod mounts;
pub mod namespaces;
mod net_devices;
pub mod pid;
mod place;
pub mod process;
pub mod rdt;
pub mod rlimits;
pub mod rootfs;
pub mod sealed;
pub mod shim;
pub mod state;
mod strict;
pub mod sync;
pub mod sysctl;
pub mod validate;
mod walk;
mod warning;

pub use error::{Error, Result};
pub use launch::{Created, LaunchOptions, create, launch};
pub use process::Stdio;
