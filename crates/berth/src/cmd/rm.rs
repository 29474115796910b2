//! `berth rm`.

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Remove containers
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// Kill those that run; one that does not exist is no error
    #[arg(short, long)]
    force: bool,
    /// Remove their anonymous volumes too
    #[arg(short, long)]
    volumes: bool,
    /// Remove links (`CONTAINER/ALIAS`) in place of containers; one that runs has it until its next start
    #[arg(short, long, conflicts_with_all = ["force", "volumes"])]
    link: bool,
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Rm {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        if self.link {
            let remove = |link: &str| Ok(engine.remove_link(link)?);
            return super::each::named(&self.containers, remove);
        }
        let names: Vec<String> = if self.force {
            let exists = |name: &&String| match engine.find(name) {
                Err(error @ berth_engine::Error::NoContainer { .. }) => {
                    super::note(&Failure::from(error).to_string());
                    false
                }
                _ => true,
            };
            self.containers.iter().filter(exists).cloned().collect()
        } else {
            self.containers
        };
        super::each::at_once(&engine, &names, |id| {
            Ok(engine.remove(id, self.force, self.volumes)?)
        })
    }
}
