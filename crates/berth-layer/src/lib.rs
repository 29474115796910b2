//! Layers: tar archives to directory trees and back.
//!
//! | module | what it does |
//! |---|---|
//! | [`tar`] | strict reader, deterministic writer |
//! | [`path`] | names of entries, taken apart and checked |
//! | [`limits`] | all limits |
//!
//! Nothing that an archive says is ever looked up as a path from outside its target directory: see `apply`.

pub mod error;
pub mod limits;
pub mod path;
pub mod tar;

pub use error::Error;
pub use limits::Limits;
