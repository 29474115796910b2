//! Checkpoint and restore through CRIU, which is a program of its own.
//!
//! ```text
//! verb ──► describe (what is the host's)   ──► Opts ──► `criu swrk FD` ──► image directory
//!                                                            │  a notification at each stage, answered here
//! descriptors.json in the image directory: what the standard streams were, for the restore
//! ```
//! CRIU works as root on images that its caller chose: who may restore an image may run anything. Nothing in
//! an image directory is read here but `descriptors.json` and CRIU's log, and neither through a link.
//!
//! Source: criu(8), images/rpc.proto of CRIU 3.17; runc-checkpoint(8), runc-restore(8).

pub(crate) mod checkpoint;
mod describe;
mod files;
mod opts;
pub(crate) mod restore;
mod swrk;
mod wire;

pub(crate) use opts::{Given, cgroups_mode};
