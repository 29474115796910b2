//! `--disable-content-trust`: docker's switch of Notary, whose servers are gone.

use crate::ui::diagnostic::Failure;

/// The switch; a group of its own, since several verbs have it.
#[derive(Debug, clap::Args)]
pub struct ContentTrust {
    /// Accepted for docker's sake: `berth trust` says which signatures an image needs
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    disable_content_trust: bool,
}

impl ContentTrust {
    /// # Errors
    /// Notary's signatures were asked for: to go on without would be worse than to stop.
    pub fn check(&self) -> Result<(), Failure> {
        match self.disable_content_trust {
            true => Ok(()),
            false => Err(Failure::new("Notary's signatures cannot be checked")
                .hint("`berth trust set` asks for signatures of cosign and skopeo")),
        }
    }
}
