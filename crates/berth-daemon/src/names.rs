//! The process that answers for names: killed, it is there again at once, and not only with the next verb.

use std::time::Duration;

use berth_engine::Engine;

use crate::{Note, Told};

/// Between two that end: one that cannot live takes no more than this.
const REST: Duration = Duration::from_secs(1);

/// As long as the daemon lives.
pub(crate) fn keep(engine: &Engine, note: &Note) {
    while engine.wait_for_resolver().is_ok() {
        match engine.ensure_resolver() {
            // It has ended by itself, or somebody else was faster.
            Ok(false) => continue,
            Ok(true) => note(Told::Info("the resolver was killed and is started again")),
            Err(error) => note(Told::Failed("cannot start the resolver again", &error)),
        }
        std::thread::sleep(REST);
    }
}
