//! berth-snapshot.
