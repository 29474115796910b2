//! Words of the Open Container Initiative: spec types, digests, references. No I/O.

pub mod spec;
