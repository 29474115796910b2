//! A file that is written under another name first: one of that name is whole, or was not touched.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::ui::diagnostic::Failure;

/// A file in the making; dropped before [`Unfinished::finish`], it is removed.
pub struct Unfinished {
    path: PathBuf,
    target: PathBuf,
    kept: bool,
}

impl Unfinished {
    /// Makes it beside `target`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn beside(target: &Path) -> Result<(Unfinished, File), Failure> {
        let mut path = target.as_os_str().to_owned();
        path.push(format!(".{}.part", std::process::id()));
        let unfinished = Unfinished {
            path: path.into(),
            target: target.to_owned(),
            kept: false,
        };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished.path)
            .map_err(|error| unfinished.failed(&error))?;
        Ok((unfinished, file))
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn finish(mut self) -> Result<(), Failure> {
        std::fs::rename(&self.path, &self.target).map_err(|error| self.failed(&error))?;
        self.kept = true;
        Ok(())
    }

    /// What the user is told.
    pub fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::of(error).within(format!("cannot write `{}`", self.target.display()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            // The failure is what the user is told.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
