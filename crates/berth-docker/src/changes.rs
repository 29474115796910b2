//! That something has happened, for all who follow events: one watch of the kernel serves them all.

use std::sync::{Mutex, PoisonError};

use berth_engine::{Engine, Error};
use tokio::io::Interest;
use tokio::sync::watch;

use crate::serve::ready::register;

/// The watch, made when the first one follows.
#[derive(Debug, Default)]
pub(crate) struct Watched(Mutex<Option<watch::Receiver<()>>>);

/// One follower's view of it.
#[derive(Debug)]
pub(crate) struct Changes(watch::Receiver<()>);

impl Watched {
    /// From now on. To be called where tokio runs.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn follow(&self, engine: &Engine) -> Result<Changes, Error> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receiver) = &*watched
            && receiver.has_changed().is_ok()
        {
            return Ok(Changes(receiver.clone()));
        }
        let notify = engine.watch_events()?;
        let (sender, receiver) = watch::channel(());
        tokio::spawn(async move {
            let Ok(notify) = register(notify) else {
                return;
            };
            // Who follows next after an error makes another.
            while let Ok(mut ready) = notify.ready(Interest::READABLE).await {
                notify.get_ref().clear();
                ready.clear_ready();
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
        *watched = Some(receiver.clone());
        Ok(Changes(receiver))
    }
}

impl Changes {
    /// What has happened up to now is known.
    pub(crate) fn mark(&mut self) {
        self.0.mark_unchanged();
    }

    /// Until something more happens.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody tells any more: look now and then.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}
