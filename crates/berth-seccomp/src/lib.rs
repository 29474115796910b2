//! berth-seccomp.
