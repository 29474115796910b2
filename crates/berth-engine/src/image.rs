//! The verbs on images.

pub mod pull;
