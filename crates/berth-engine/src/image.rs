//! The verbs on images.

pub mod pull;

/// How registries are reached, which the face reads from its environment.
pub use berth_registry::Config as RegistryConfig;
