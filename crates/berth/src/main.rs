//! The `berth` command: parses what was asked, calls the engine, prints the result.
//!
//! Start-up is part of every `berth run`, so nothing is built that the verb does not need: the verbs'
//! options are deferred (`verbs.rs`), and tokio appears only inside a pull.

mod cmd;
mod context;
mod copy;
mod globals;
mod image;
mod opts;
mod pull;
mod remote;
mod ui;
mod verbs;
mod view;

use std::process::ExitCode;

use berth_sys::later;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(code) = cmd::internal::confined(&args) {
        return code;
    }
    later::until_end();
    let (outcome, verb_default) = verbs::dispatch(args);
    let code = match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            if !failure.silent {
                // A closed standard error leaves the exit code as the only word.
                let _ = std::io::Write::write_all(
                    &mut std::io::stderr(),
                    failure.to_string().as_bytes(),
                );
            }
            ExitCode::from(failure.code.unwrap_or(verb_default))
        }
    };
    later::end();
    code
}
