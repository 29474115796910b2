//! Clients that are attached to a container before it runs: whoever starts it here hands them its streams, so that
//! they miss nothing of its output.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_engine::attach::{AttachStream, Wants};
use berth_model::ContainerId;
use tokio::sync::oneshot;

/// One that waits.
pub(crate) struct Pending {
    pub(crate) wants: Wants,
    give: oneshot::Sender<Attached>,
}

/// A connection to a container's monitor.
pub(crate) struct Attached {
    pub(crate) stream: AttachStream,
    /// It is the foreground client, and reaps the container at its end.
    pub(crate) foreground: bool,
}

/// Those who wait, by container.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<ContainerId, Vec<Pending>>>);

impl Waiting {
    /// Waits for the container's start.
    pub(crate) fn add(&self, id: &ContainerId, wants: Wants) -> oneshot::Receiver<Attached> {
        let (give, given) = oneshot::channel();
        let mut all = self.lock();
        // Who is gone goes here, so that the table does not grow.
        all.retain(|_, waiting| {
            waiting.retain(|one| !one.give.is_closed());
            !waiting.is_empty()
        });
        all.entry(id.clone())
            .or_default()
            .push(Pending { wants, give });
        given
    }

    /// Those who wait for this container, and are still there; they wait no more.
    pub(crate) fn take(&self, id: &ContainerId) -> Vec<Pending> {
        let mut waiting = self.lock().remove(id).unwrap_or_default();
        waiting.retain(|one| !one.give.is_closed());
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ContainerId, Vec<Pending>>> {
        // A table is whole whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// Hands the streams over. A client that has gone meanwhile drops them, and the monitor sees that.
    pub(crate) fn give(self, attached: Attached) {
        _ = self.give.send(attached);
    }
}
