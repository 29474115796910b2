//! `berth fsck`.

use crate::context;
use crate::globals::Globals;
use crate::ui::clean;
use crate::verbs::{Outcome, Verb};

/// Check what is on disk and what runs, and repair what a crash left
#[derive(Debug, clap::Args)]
pub struct Fsck {
    /// Put right what can be put right
    #[arg(long)]
    repair: bool,
    /// Compare unpacked layers with what they were made of, too: each image is unpacked once more (root)
    #[arg(long)]
    deep: bool,
}

impl Verb for Fsck {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let problems = engine.fsck(self.repair, self.deep)?;
        let mut text = String::new();
        for problem in &problems {
            let state = if problem.repaired {
                "repaired"
            } else {
                "found"
            };
            text.push_str(&format!("{state}: {}\n", clean::terminal(&problem.what)));
        }
        if problems.is_empty() {
            text.push_str("all is well\n");
        }
        super::print(&text)?;
        Ok(u8::from(problems.iter().any(|problem| !problem.repaired)))
    }
}
