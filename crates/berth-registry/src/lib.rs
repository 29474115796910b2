//! berth-registry.
