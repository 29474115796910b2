//! `berth wait`.

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Wait until containers end, and print their exit codes
#[derive(Debug, clap::Args)]
pub struct Wait {
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Wait {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let mut code = 0;
        for name in &self.containers {
            let waited = engine.find(name).and_then(|id| engine.wait(&id));
            match waited {
                Ok(Some(exit)) => super::print(&format!("{}\n", exit.code))?,
                Ok(None) => {
                    let gone = Failure::new(format!(
                        "the container {name} ended, but its exit code is not known"
                    ));
                    super::note(&gone.to_string());
                    code = 1;
                }
                Err(error) => {
                    super::note(&Failure::from(error).to_string());
                    code = 1;
                }
            }
        }
        Ok(code)
    }
}
