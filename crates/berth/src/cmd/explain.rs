//! `berth explain`.

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Show how a container is set up: the kernel's value of each setting, and what caused it
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The container, by name or id
    container: String,
    /// How to print it
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

impl Verb for Explain {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        let explanation = engine.explain(&id)?;
        let text = if self.format == "json" {
            let json = serde_json::to_string_pretty(&explanation);
            json.map_err(|e| Failure::of(&e).within("cannot print as JSON"))? + "\n"
        } else {
            explanation.render_text()
        };
        super::print(&text)?;
        Ok(0)
    }
}
