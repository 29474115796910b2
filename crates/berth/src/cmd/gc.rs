//! `berth system gc`.

use crate::context;
use crate::globals::Globals;
use crate::ui::human;
use crate::verbs::{Outcome, Verb};

/// Remove content that no image and no container needs
#[derive(Debug, clap::Args)]
pub struct Gc {
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl Verb for Gc {
    fn run(self, globals: &Globals) -> Outcome {
        let report = context::engine(globals)?.collect_garbage(self.dry_run)?;
        let mut text: String = report
            .blobs
            .iter()
            .map(|digest| format!("{digest}\n"))
            .collect();
        let word = if self.dry_run {
            "reclaimable"
        } else {
            "reclaimed"
        };
        text.push_str(&format!(
            "Total {word} space: {}\n",
            human::size(report.bytes)
        ));
        super::print(&text)?;
        Ok(0)
    }
}
