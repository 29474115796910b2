//! berth-cgroup.
