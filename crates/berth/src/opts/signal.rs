//! Signal names and numbers: the model's.

pub use berth_model::signal::parse;
