//! How whoever asked for long work ends it early: a client that has left, a user who thought better of it.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

use crate::Error;

/// Whether work is to end early. Clones are one; nobody has to use it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Ends the work.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is to end.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for `work` as long as nobody stops it.
    ///
    /// # Errors
    /// Its own, and [`Error::Stopped`].
    pub async fn or<T, E: From<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut seen = self.0.subscribe();
        tokio::select! {
            // The sender lives as long as `self`.
            _ = seen.wait_for(|stopped| *stopped) => Err(Error::Stopped.into()),
            done = work => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_when_it_is_stopped() {
        let runtime = crate::runtime().unwrap();
        let stop = Stop::default();
        let done = runtime.block_on(stop.or(async { Ok::<_, Error>(1) }));
        assert_eq!(done.unwrap(), 1);
        let other = stop.clone();
        let thread = std::thread::spawn(move || other.stop());
        let never = std::future::pending::<Result<(), Error>>();
        assert!(matches!(
            runtime.block_on(stop.or(never)),
            Err(Error::Stopped)
        ));
        thread.join().unwrap();
        assert!(stop.is_stopped());
    }
}
