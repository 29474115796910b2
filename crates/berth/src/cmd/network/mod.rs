//! `berth network`: the predefined networks; those of one's own come later.

pub mod inspect;
pub mod later;
pub mod ls;
