//! `berth diff`.

use std::io::IsTerminal as _;

use berth_engine::export::Change;

use crate::context;
use crate::globals::Globals;
use crate::ui::clean;
use crate::verbs::{Outcome, Verb};

/// Show what a container changed in its image's files: A added, C changed, D deleted
#[derive(Debug, clap::Args)]
pub struct Diff {
    /// The container, by name or id
    container: String,
}

impl Verb for Diff {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        let terminal = std::io::stdout().is_terminal();
        let mut out = Vec::new();
        for (change, mut path) in engine.diff(&id)? {
            if terminal {
                path = clean::terminal(&String::from_utf8_lossy(&path)).into_bytes();
            }
            out.extend_from_slice(match change {
                Change::Added => b"A /",
                Change::Changed => b"C /",
                Change::Deleted => b"D /",
            });
            out.append(&mut path);
            out.push(b'\n');
        }
        super::print_bytes(&out)?;
        Ok(0)
    }
}
