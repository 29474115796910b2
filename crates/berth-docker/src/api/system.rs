//! The engine as a whole.

pub(crate) mod df;
pub(crate) mod ping;
pub(crate) mod version;
