//! `berth network`: networks, and the places of containers in them.

pub mod create;
pub mod inspect;
pub mod later;
pub mod ls;
pub mod prune;
pub mod rm;
