//! `list`: all containers of this state root.

use super::args::{Args, unknown};
use super::{Global, print, print_json};
use crate::error::{Error, Result};

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let (mut quiet, mut json) = (false, false);
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-q" | "--quiet" => quiet = true,
            "-f" | "--format" => json = args.value()? == "json",
            other => return Err(unknown(other)),
        }
    }
    args.end()?;
    let mut states = Vec::new();
    for id in global.root.ids()? {
        match global.root.find(&id).and_then(|dir| dir.state()) {
            Ok(state) => states.push(state),
            // Deleted meanwhile.
            Err(Error::NoContainer { .. } | Error::ReadFile { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if json {
        return print_json(&states).map(|()| 0);
    }
    let mut text = String::new();
    if !quiet {
        text.push_str("ID\tPID\tSTATUS\tBUNDLE\n");
    }
    for state in &states {
        text.push_str(&match quiet {
            true => format!("{}\n", state.id),
            false => {
                let pid = state.pid.unwrap_or_default();
                format!(
                    "{}\t{pid}\t{}\t{}\n",
                    state.id,
                    state.status,
                    state.bundle.display()
                )
            }
        });
    }
    print(&text)?;
    Ok(0)
}
