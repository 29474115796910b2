//! `berth completion SHELL`.

use crate::globals::Globals;
use crate::verbs::{self, Outcome, Verb};

/// Print a shell's completion script
#[derive(Debug, clap::Args)]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl Verb for Completion {
    fn run(self, _: &Globals) -> Outcome {
        let mut script = Vec::new();
        let mut command = verbs::command();
        clap_complete::generate(self.shell, &mut command, "berth", &mut script);
        super::print(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}
