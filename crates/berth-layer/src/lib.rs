//! Layers: tar archives to directory trees and back.
//!
//! | module | what it does |
//! |---|---|
//! | [`tar`] | strict reader, deterministic writer |
//! | [`path`] | names of entries, taken apart and checked |
//! | [`apply`](mod@apply) | entries → directory, over lower layers |
//! | [`put`](mod@put) | entries → a directory that is in use |
//! | [`archive`] | files into and out of a container |
//! | [`write`](mod@write) | directory → archive, an overlay's changes → layer |
//! | [`changes`](mod@changes) | an overlay's upper directory against those below it |
//! | [`export`](mod@export) | the process that reads a container's files |
//! | [`decompress`](mod@decompress), [`pipeline`] | blob → archive and diff-id |
//! | [`child`] | the confined process that does it |
//! | [`copy`](mod@copy) | directory → directory |
//! | [`fill`](mod@fill) | an image's directory → an empty volume |
//! | [`merged`] | one file as the programs inside see it |
//! | [`purge`](mod@purge) | removing trees |
//! | [`limits`] | all limits |
//!
//! Nothing that an archive says is ever looked up as a path from outside its target directory: see `apply`.

pub mod apply;
pub mod archive;
pub mod changes;
pub mod child;
pub mod confine;
pub mod copy;
pub mod decompress;
pub mod error;
pub mod export;
pub mod fill;
pub mod limits;
mod lookup;
pub mod merged;
mod metadata;
pub mod path;
mod pipeline;
pub mod purge;
pub mod put;
pub mod tar;
mod view;
pub mod write;

pub use changes::{Change, changes};
pub use copy::copy_tree;
pub use error::Error;
pub use limits::Limits;
pub use merged::read_merged;
pub use write::{WriteOptions, write_layer, write_merged, write_single, write_tree};
