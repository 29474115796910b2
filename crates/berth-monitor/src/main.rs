//! The monitor: what stays of the shim while a container runs.
//!
//! The shim (berth-runtime) creates the container, then becomes this program by execve: same process,
//! same children, same file descriptors, but no libc and hardly any memory of its own. It copies the
//! container's output to the log and to attached clients, feeds standard input, reaps, and at the end
//! records the exit and becomes the engine's clean-up.
//!
//! Built only by its own command, see Cargo.toml. Without arguments that it understands it says so on
//! standard error and exits with 125.
#![no_std]
#![no_main]

mod monitor {
    pub mod buffers;
    pub mod clients;
    pub mod finish;
    pub mod log;
    pub mod logs;
    pub mod memory;
    pub mod receiver;
    pub mod run;
    pub mod signals;
    pub mod start;
    pub mod stdin;
    pub mod streams;
    pub mod sys;
}

use berth_monitor::args::{self, Error};
use monitor::start::CommandLine;
use monitor::sys::{self, Fd};

/// Exit status for failures of our own, as Docker has it.
const FAILED: i32 = 125;

fn main(line: CommandLine) -> ! {
    match args::parse(line.arguments()) {
        Ok(mut args) => {
            if let Some(log) = &mut args.log {
                log.attributes = line.variable(args::ATTRIBUTES);
            }
            if let Some(receiver) = &mut args.receiver {
                receiver.template = line.variable(berth_monitor::template::TEMPLATE);
            }
            monitor::run::run(&args, &line)
        }
        Err(Error::Bad(argument)) => complain(b"cannot use argument `", argument.to_bytes(), b"`"),
        Err(Error::Missing(key)) => complain(b"missing argument `", key.as_bytes(), b"=`"),
    }
}

fn complain(before: &[u8], what: &[u8], after: &[u8]) -> ! {
    for part in [
        b"error: berth-monitor: ".as_slice(),
        before,
        what,
        after,
        b"\n",
    ] {
        // Nobody is left to tell if standard error is gone.
        let _ = sys::write(Fd::STDERR, part);
    }
    sys::exit(FAILED)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let file = info.location().map_or("?", |at| at.file());
    complain(b"bug in ", file.as_bytes(), b"")
}
