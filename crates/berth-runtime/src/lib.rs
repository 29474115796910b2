//! berth-runtime.
