//! What requests share in memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks. Who panicked while he held it has left nothing half: all changes here are single steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was found to be so, for a while; a limited number of things.
#[derive(Debug)]
pub(crate) struct Remembered<K> {
    most: usize,
    until: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Remembered<K> {
    /// Nothing yet, and never more than `most`.
    pub(crate) fn new(most: usize) -> Remembered<K> {
        Remembered {
            most,
            until: Mutex::default(),
        }
    }

    pub(crate) fn has(&self, key: &K) -> bool {
        let until = lock(&self.until);
        until.get(key).is_some_and(|until| Instant::now() < *until)
    }

    /// Remembers it for so long, if there is room.
    pub(crate) fn add(&self, key: K, time: Duration) {
        let now = Instant::now();
        let mut all = lock(&self.until);
        if all.len() >= self.most {
            all.retain(|_, until| now < *until);
        }
        if all.len() < self.most {
            all.insert(key, now + time);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.until).len()
    }

    /// As if the time of all was over.
    #[cfg(test)]
    pub(crate) fn expire(&self) {
        let now = Instant::now();
        lock(&self.until)
            .values_mut()
            .for_each(|until| *until = now);
    }
}
