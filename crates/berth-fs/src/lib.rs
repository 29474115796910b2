//! berth-fs.
