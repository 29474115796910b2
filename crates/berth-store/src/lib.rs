//! The image store: blobs by digest, references, leases, garbage collection.
//!
//! ```text
//! ROOT/oci-layout               {"imageLayoutVersion":"1.0.0"}: the store is an OCI image layout
//! ROOT/index.json               one entry a reference: manifest descriptor + ref.name annotation
//! ROOT/index.lock               flock: read-modify-write of index.json
//! ROOT/blobs/ALGORITHM/HEX      complete, verified content, never changed; a manifest's mtime: its last use;
//!                               flock on blobs/: shared while a lease grows, exclusive to take garbage away
//! ROOT/ingest/ALGORITHM-HEX     partial content that can be resumed; flock: its writer is alive
//! ROOT/ingest/.tmp-PID-N        partial content of unknown digest
//! ROOT/leases/PID-N             digests, one a line, that a living process needs; flock: alive
//! ROOT/trash/                   garbage on its way out
//! ROOT/ballast                  space given up so that removal works on a full disk
//! ```
//! Invariants: what is under `blobs/` is complete and had its digest when it came there; every
//! change of `index.json` is one rename; a reference is written after the blobs it needs.
//! Content may only be added through a [`Lease`], so that nobody collects it before it is referenced.
//!
//! Lock order: blobs → index.lock → one ingest or lease file.

pub mod blob;
pub mod error;
pub mod gc;
pub mod image;
pub mod ingest;
pub mod lease;
pub mod refs;
mod store;
mod used;
pub mod verify;

pub use blob::VerifyingReader;
pub use error::Error;
pub use gc::{GcReport, GcRoots, Reach, Surroundings};
pub use image::Image;
pub use ingest::{Expected, Ingest};
pub use lease::Lease;
pub use refs::Entry;
pub use store::Store;
pub use verify::VerifyReport;
