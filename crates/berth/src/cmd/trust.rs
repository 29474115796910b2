//! `berth trust`: which images may be pulled, and who signed them.

pub mod default;
pub mod inspect;
pub mod key;
pub mod ls;
pub mod rm;
pub mod set;
pub mod sign;
pub mod verify;

use std::path::{Path, PathBuf};

use berth_engine::trust::{self, Passphrase, Policies, PrivateKey, Requirement};

use crate::globals;
use crate::pull::trust_files;
use crate::ui::diagnostic::Failure;
use crate::ui::hidden;

/// What a policy asks for, as `set` and `default` take it.
#[derive(Debug, clap::Args)]
pub struct Asked {
    /// accept: anything; reject: nothing; signed: what one of the keys has signed
    #[arg(value_name = "REQUIREMENT", value_parser = ["accept", "reject", "signed"])]
    requirement: String,
    /// Public key, for `signed`; may be given several times
    #[arg(long = "key", value_name = "FILE", action = clap::ArgAction::Append)]
    keys: Vec<PathBuf>,
}

impl Asked {
    /// The requirement, its keys read once so that a wrong file is told now.
    fn requirement(&self) -> Result<Requirement, Failure> {
        let keys = absolute(&self.keys)?;
        for key in &keys {
            trust::read_public(key)?;
        }
        Requirement::new(&self.requirement, keys).map_err(|error| {
            let hint = match self.requirement.as_str() {
                "signed" => "--key FILE names a public key",
                _ => "leave --key out",
            };
            Failure::of(&error).hint(hint)
        })
    }
}

/// Changes the policies, and tells where they are.
fn change(
    how: impl FnOnce(&Path, Policies) -> Result<Policies, trust::Error>,
) -> Result<(), Failure> {
    let path = trust_files().edit(globals::rootless(), how)?;
    super::note(&format!("written to {}\n", path.display()));
    Ok(())
}

fn absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let paths = paths.iter().map(|path| {
        std::path::absolute(path)
            .map_err(|e| Failure::of(&e).within(format!("cannot use `{}`", path.display())))
    });
    paths.collect()
}

/// The private key in a file, unlocked with the passphrase from another, or else from the user.
pub fn private_key(file: &Path, passphrase_file: Option<&Path>) -> Result<PrivateKey, Failure> {
    let locked = trust::read_private(file)?;
    locked
        .unlock(&passphrase(passphrase_file, false)?)
        .map_err(|error| {
            let within = format!("cannot use the private key `{}`", file.display());
            Failure::from(error).within(within)
        })
}

/// The passphrase from the file, or else from the user: twice, if it is a new one.
fn passphrase(file: Option<&Path>, is_new: bool) -> Result<Passphrase, Failure> {
    if let Some(file) = file {
        return Ok(trust::read_passphrase(file)?);
    }
    let ask = |question| {
        let instead = "--passphrase-file FILE gives it";
        hidden::ask(question, instead).map(Passphrase::new)
    };
    let given = ask("Passphrase: ")?;
    if is_new && ask("Passphrase, once more: ")? != given {
        return Err(Failure::new("the two passphrases differ"));
    }
    Ok(given)
}

/// What `--help` of the verbs that change policies says below the options.
const ABOUT_POLICIES: &str = "\
Policies hold for `pull` and `artifact pull`, and for `run` and `create` where they pull. The longest prefix counts, by whole parts of \
the name: docker.io/lib is no prefix of docker.io/library/busybox, which is how `busybox` is meant. What is loaded, \
imported or bootstrapped is local, and no policy is asked; `berth trust verify` holds an image that is here already \
against them.

They are in the file that BERTH_TRUST names, else $XDG_CONFIG_HOME/berth/trust.toml (~/.config), else \
/etc/berth/trust.toml; it is written anew by a change, without comments. `default = \"reject\"` in it is enough to \
pull nothing that no policy names. A file or key that cannot be read accepts nothing.";
