//! The process that answers containers' questions for names, one a run directory: started by whoever needs it first, ended
//! when nobody does.

use std::io::Write as _;

use berth_dns::client::READY;
use berth_dns::keeper::Keeper;

use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Answer questions for names in user networks and keep these networks, as long as there are containers in any
#[derive(Debug, clap::Args)]
pub struct Network {}

impl Verb for Network {
    fn run(self, globals: &Globals) -> Outcome {
        let run_dir = std::path::absolute(globals.run_directory())?;
        berth_sys::later::in_threads();
        let Some(keeper) = Keeper::start(&run_dir)? else {
            return Ok(0);
        };
        leave().map_err(|error| Failure::of(&error).within("cannot leave the caller's session"))?;
        keep_networks(globals);
        // From here on it sleeps, mostly.
        berth_sys::code::forget_used();
        keeper.run()?;
        Ok(0)
    }
}

/// As long as this lives, networks that others change are put right at once. It answers for names without, too.
fn keep_networks(globals: &Globals) {
    let Ok(engine) = crate::context::engine(globals) else {
        return;
    };
    // Nobody listens here. The daemon tells the same, and so does `fsck`.
    let keep = move || drop(engine.keep_networks(&|_| ()));
    drop(
        std::thread::Builder::new()
            .name("networks".to_owned())
            .spawn(keep),
    );
}

/// Whoever started this may go: it is told that all is well, and what is his is given back.
fn leave() -> std::io::Result<()> {
    // A leader of a session is in one of its own.
    let _ = rustix::process::setsid();
    let mut out = std::io::stdout().lock();
    // He may be gone already.
    let _ = out.write_all(READY).and_then(|()| out.flush());
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
