//! `berth commit`.

use berth_engine::image::CommitOptions;

use super::import::source_date;
use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Make an image of a container: its changed files as a layer, its settings as defaults
#[derive(Debug, clap::Args)]
pub struct Commit {
    /// Who made it
    #[arg(short, long, default_value = "", hide_default_value = true)]
    author: String,
    /// An instruction as in a Dockerfile, such as 'CMD ["sh"]'
    #[arg(short, long, value_name = "INSTRUCTION", action = clap::ArgAction::Append)]
    change: Vec<String>,
    /// A remark for the image's history
    #[arg(short, long, default_value = "", hide_default_value = true)]
    message: String,
    /// Freeze the container meanwhile
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_possible_values = true, action = clap::ArgAction::Set)]
    pause: bool,
    /// The container, by name or id
    container: String,
    /// The image's name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Verb for Commit {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        let options = CommitOptions {
            name: self.name,
            changes: self.change,
            message: self.message,
            author: self.author,
            pause: self.pause,
            created_s: source_date()?,
            ..CommitOptions::default()
        };
        let made = engine.commit_container(&id, &options)?;
        if let Some(reason) = made.not_frozen {
            super::note(&format!("note: the container ran on meanwhile: {reason}\n"));
        }
        super::print(&format!("{}\n", made.id))?;
        Ok(0)
    }
}
