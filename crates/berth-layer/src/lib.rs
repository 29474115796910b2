//! berth-layer.
