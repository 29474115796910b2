//! `berth top`.

use crate::context;
use crate::globals::Globals;
use crate::ui::table;
use crate::verbs::{Outcome, Verb};

/// List the processes of a running container, as the host counts them
#[derive(Debug, clap::Args)]
pub struct Top {
    /// The container, by name or id
    container: String,
    /// Columns, as for ps: -ef, aux, -o pid,user,comm,…
    #[arg(
        value_name = "PS-OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    options: Vec<String>,
}

impl Verb for Top {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        let top = engine.top(&id, &self.options)?;
        let lines: Vec<String> = std::iter::once(&top.titles)
            .chain(&top.rows)
            .map(|cells| cells.join("\t"))
            .collect();
        super::print(&table::layout(&lines))?;
        Ok(0)
    }
}
