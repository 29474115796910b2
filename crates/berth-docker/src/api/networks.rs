//! Networks: those that there are. More cannot be made yet.

pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod prune;
pub(crate) mod remove;
