//! Where a crash may come between two changes of files: tests have it come there.

/// Between two changes.
#[cfg(not(test))]
#[allow(clippy::unnecessary_wraps, reason = "tests have it fail")]
pub(super) const fn step() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use in_tests::{crash_after, step};

#[cfg(test)]
mod in_tests {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// After so many steps of this thread nothing is done any more; `None`: no crash.
    pub(in super::super) fn crash_after(steps: Option<u32>) {
        LEFT.set(steps);
    }

    pub(in super::super) fn step() -> io::Result<()> {
        match LEFT.get() {
            Some(0) => Err(io::Error::other("crashed")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}
