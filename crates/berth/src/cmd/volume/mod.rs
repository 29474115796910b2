//! `berth volume`: directories that the engine keeps for containers.

pub mod create;
pub mod inspect;
pub mod ls;
pub mod prune;
pub mod rm;
