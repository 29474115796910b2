//! `berth registry`: a registry of one's own, and the histories of its tags.

pub mod history;
pub mod rollback;
pub mod serve;

use berth_engine::registry::Error;
use berth_model::ErrorKind;

use crate::ui::diagnostic::Failure;

/// What no other registry knows is not there.
fn failed(error: &Error) -> Failure {
    let failure = Failure::of(error);
    match error.kind() {
        ErrorKind::NotFound => {
            failure.hint("check name and tag; only a registry served by berth keeps histories")
        }
        _ => failure,
    }
}
