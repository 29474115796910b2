//! What the user sees: tables, templates, numbers for humans, progress, errors.

pub mod clean;
pub mod diagnostic;
pub mod hidden;
pub mod human;
pub mod progress;
pub mod prompt;
pub mod rows;
pub mod table;
pub mod template;
