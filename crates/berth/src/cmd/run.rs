//! `berth run`: create, start, stand for the container, and leave nothing behind with `--rm`.

use berth_engine::attach::DetachKeys;
use berth_engine::start::StartOptions;

use super::container_options::ContainerOptions;
use super::create::create;
use super::foreground::Foreground;
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::{self, Failure};
use crate::verbs::{Outcome, Verb};

/// Make a container and run it
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Leave it running in the background and print its id
    #[arg(short, long)]
    detach: bool,
    /// Keys that detach, such as ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Pass signals on
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
    #[command(flatten)]
    container: ContainerOptions,
}

impl Verb for Run {
    const FAILED: u8 = diagnostic::ENGINE;
    const USAGE: Option<&'static str> = Some("berth run [OPTIONS] IMAGE [COMMAND] [ARG]...");

    fn run(self, globals: &Globals) -> Outcome {
        let options = &self.container;
        if self.detach && options.chooses_streams() {
            return Err(Failure::new("conflicting options: --attach and --detach").code(1));
        }
        let request = options.request(!self.detach)?;
        let engine = context::engine(globals)?;
        let id = create(&engine, request, options.quiet, options.cidfile.as_deref())?;
        let outcome = if self.detach {
            engine
                .start(&id, StartOptions::default())
                .map_err(Into::into)
                .and_then(|_| {
                    super::print(&format!("{id}\n"))?;
                    Ok(0)
                })
        } else {
            let streams = options.attached();
            let shown = (streams.contains(&1), streams.contains(&2));
            let foreground = Foreground {
                stdin: options.interactive,
                shown,
                tty: options.tty,
                sig_proxy: self.sig_proxy && !options.tty,
                detach_keys: self.detach_keys.unwrap_or_default(),
            };
            let outcome = foreground.start(&engine, &id);
            if outcome.is_ok() && shown == (false, false) {
                // Docker's sign of life of one that is attached to its input only.
                super::print(&format!("{id}\n"))?;
            }
            outcome
        };
        if outcome.is_err()
            && options.rm
            && !engine.status(&id).is_ok_and(|status| status.is_alive())
        {
            // It never ran; the failure that led here is the one to tell.
            let _ = engine.remove(&id, false, true);
        }
        outcome
    }
}
