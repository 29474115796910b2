//! Words of the Open Container Initiative: spec types, digests, references, images. No I/O.
//!
//! Everything here that parses is strict: what comes from a registry, an archive or a user is
//! either understood exactly or refused.

pub mod chain;
pub mod digest;
pub mod error;
pub mod header;
pub mod image;
pub mod json;
pub mod media;
pub mod platform;
pub mod reference;
pub mod spec;

pub use digest::{Algorithm, Digest, Hasher};
pub use error::Error;
pub use image::{Descriptor, Document, ImageConfig, Index, Manifest};
pub use platform::Platform;
pub use reference::Reference;
