//! `berth context update`.

use super::Given;
use crate::globals::Globals;
use crate::remote::contexts::{Contexts, check_name};
use crate::verbs::{Outcome, Verb};

/// Change what a name stands for
#[derive(Debug, clap::Args)]
#[command(
    after_help = "--docker takes host=ADDRESS, the files ca=, cert= and key= for TLS, and from=CONTEXT, separated by commas."
)]
pub struct Update {
    /// What is to be said of it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The daemon, in the place of what there was
    #[arg(long, value_name = "KEY=VALUE,…", action = clap::ArgAction::Append)]
    docker: Vec<String>,
    /// The name
    #[arg(value_name = "CONTEXT")]
    name: String,
}

impl Verb for Update {
    fn run(self, _: &Globals) -> Outcome {
        check_name(&self.name)?;
        let contexts = Contexts::open()?;
        let mut context = contexts.get(&self.name)?;
        if let Some(description) = &self.description {
            context.describe(description);
        }
        let files = match self.docker.is_empty() {
            true => None,
            false => {
                let (endpoint, files) = Given::parse(&self.docker)?.endpoint(&contexts)?;
                *context.endpoint_mut() = endpoint;
                Some(files.unwrap_or_default())
            }
        };
        contexts.put(&context, files.as_ref())?;
        crate::cmd::print(&format!("{}\n", context.name))?;
        crate::cmd::note(&format!(
            "Successfully updated context \"{}\"\n",
            context.name
        ));
        Ok(0)
    }
}
