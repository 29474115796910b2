//! `berth volume create`.

use berth_engine::volumes::VolumeRequest;

use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Make a volume, and print its name
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What keeps it: `local`, or a plugin
    #[arg(short, long, default_value = "local")]
    driver: String,
    /// A label, KEY=VALUE
    #[arg(long, value_parser = opts::label, action = clap::ArgAction::Append)]
    label: Vec<(String, String)>,
    /// Its name, as earlier dockers had it
    #[arg(long, hide = true)]
    name: Option<String>,
    /// An option of the driver, KEY=VALUE; `local` has type, device and o, as mount(8) does
    #[arg(short, long, value_parser = opts::label, action = clap::ArgAction::Append)]
    opt: Vec<(String, String)>,
    /// Its name; none: one is made up
    #[arg(value_name = "VOLUME")]
    volume: Option<String>,
}

impl Verb for Create {
    fn run(self, globals: &Globals) -> Outcome {
        let name = match (self.name, self.volume) {
            (Some(_), Some(_)) => {
                return Err(Failure::new(
                    "conflicting options: either specify --name or provide positional arg, not both",
                ));
            }
            (one, other) => one.or(other).unwrap_or_default(),
        };
        let made = context::engine(globals)?.create_volume(VolumeRequest {
            name,
            driver: self.driver,
            options: self.opt.into_iter().collect(),
            labels: self.label.into_iter().collect(),
        })?;
        super::super::print(&format!("{}\n", made.name))?;
        Ok(0)
    }
}
