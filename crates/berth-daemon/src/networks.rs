//! Networks that others have changed are put right at once, and not only with the next verb.

use berth_engine::Engine;

use crate::{Note, Told};

/// As long as the daemon lives.
pub(crate) fn keep(engine: &Engine, note: &Note) {
    let told = |what: Result<&str, &berth_engine::Error>| match what {
        Ok(text) => note(Told::Info(text)),
        Err(error) => note(Told::Failed("cannot repair the networks", error)),
    };
    if let Err(error) = engine.keep_networks(&told) {
        told(Err(&error));
    }
}
