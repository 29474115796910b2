//! One daemon on a directory.

use std::path::Path;

use berth_fs::{Lock, LockMode};

use crate::Error;

/// The right to be the daemon; dropping it, or dying, gives it up. The file stays and means nothing.
#[derive(Debug)]
pub struct Instance {
    _lock: Lock,
}

impl Instance {
    /// Takes the right to be the daemon on the state in `root`.
    ///
    /// # Errors
    /// [`Error::Running`], [`Error::Lock`].
    pub fn take(root: &Path) -> Result<Instance, Error> {
        match Lock::try_file(&root.join("daemon.lock"), LockMode::Exclusive) {
            Ok(Some(lock)) => Ok(Instance { _lock: lock }),
            Ok(None) => Err(Error::Running {
                directory: root.display().to_string(),
            }),
            Err(source) => Err(Error::Lock(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// N29.
    #[test]
    fn a_second_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = Instance::take(dir.path()).unwrap();
        let refused = Instance::take(dir.path()).unwrap_err();
        assert!(matches!(refused, Error::Running { .. }));
        assert!(refused.hint().is_some());
        drop(first);
        Instance::take(dir.path()).unwrap();
    }
}
