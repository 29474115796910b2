//! `berth artifact`: files in a registry that are no images.

pub mod inspect;
pub mod ls;
pub mod pull;
pub mod push;
