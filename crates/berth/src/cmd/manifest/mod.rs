//! `berth manifest`: indexes made by hand.

pub mod annotate;
pub mod create;
pub mod inspect;
pub mod push;
pub mod rm;
