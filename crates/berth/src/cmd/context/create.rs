//! `berth context create`.

use super::Given;
use crate::globals::Globals;
use crate::remote::contexts::Contexts;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Give a daemon a name
#[derive(Debug, clap::Args)]
#[command(
    after_help = "--docker takes host=ADDRESS, the files ca=, cert= and key= for TLS, and from=CONTEXT, separated by commas."
)]
pub struct Create {
    /// What is to be said of it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The daemon
    #[arg(long, value_name = "KEY=VALUE,…", action = clap::ArgAction::Append)]
    docker: Vec<String>,
    /// Take all from this context
    #[arg(long, value_name = "CONTEXT", conflicts_with = "docker")]
    from: Option<String>,
    /// The name
    #[arg(value_name = "CONTEXT")]
    name: String,
}

impl Verb for Create {
    fn run(self, _: &Globals) -> Outcome {
        let contexts = Contexts::open()?;
        contexts.check_new(&self.name)?;
        let (mut context, files) = match &self.from {
            Some(from) => (super::look(&contexts, from)?, super::of(&contexts, from)?.1),
            None => {
                let (endpoint, files) = Given::parse(&self.docker)?.endpoint(&contexts)?;
                if endpoint.host.is_empty() {
                    return Err(
                        Failure::new("no daemon was given").hint("--docker host=ssh://USER@HOST")
                    );
                }
                let mut context = crate::remote::contexts::Context::default();
                *context.endpoint_mut() = endpoint;
                (context, files.unwrap_or_default())
            }
        };
        context.name = self.name;
        if let Some(description) = &self.description {
            context.describe(description);
        }
        contexts.put(&context, Some(&files))?;
        crate::cmd::print(&format!("{}\n", context.name))?;
        crate::cmd::note(&format!(
            "Successfully created context \"{}\"\n",
            context.name
        ));
        Ok(0)
    }
}
