//! Quotas: how much the repositories with one prefix hold, uploads among it; content in two of them counts twice.
//!
//! Measured by a walk, then kept up to date by what this process does. What others do (a collector that frees) is
//! seen by the next walk: after a while, or before somebody is refused.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::{Repository, Rules, Storage, disk};
use crate::error::{Code, Failure};
use crate::name::is_below;
use crate::sync::lock;

/// A measure serves so long;
const SERVES: Duration = Duration::from_secs(600);
/// and so long at least, even if it leads to a refusal.
const SERVES_AT_LEAST: Duration = Duration::from_secs(5);

/// The bytes below each prefix that has a quota.
#[derive(Debug, Default)]
pub(super) struct Usage(Mutex<HashMap<String, Measured>>);

#[derive(Debug, Clone, Copy)]
struct Measured {
    bytes: i64,
    at: Instant,
}

impl Usage {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Measured>> {
        lock(&self.0)
    }
}

impl Repository {
    /// Bytes that the quota still allows; `None`: there is no quota.
    ///
    /// # Errors
    /// The disk's.
    pub fn room(&self, rules: &Rules) -> Result<Option<u64>, Failure> {
        let Some(quota) = rules.quota_bytes else {
            return Ok(None);
        };
        let usage = &self.storage().inner.usage;
        let room = |bytes: i64| quota.saturating_sub(bytes.max(0) as u64);
        let known = usage.lock().get(&rules.prefix).copied();
        if let Some(known) = known {
            let age = known.at.elapsed();
            let is_full = room(known.bytes) == 0;
            if age < SERVES_AT_LEAST || age < SERVES && !is_full {
                return Ok(Some(room(known.bytes)));
            }
        }
        let measured = Measured {
            bytes: self.storage().measure(&rules.prefix)?,
            at: Instant::now(),
        };
        usage.lock().insert(rules.prefix.clone(), measured);
        Ok(Some(room(measured.bytes)))
    }

    /// Refuses what the quota does not allow.
    ///
    /// # Errors
    /// `NoSpace`; the disk's.
    pub(super) fn admit(&self, bytes: u64, rules: &Rules) -> Result<(), Failure> {
        match self.room(rules)? {
            Some(room) if room < bytes => {
                let whose = match rules.prefix.as_str() {
                    "" => "this registry".to_owned(),
                    prefix => format!("`{prefix}`"),
                };
                let message = format!("the quota of {whose} is used up");
                Err(Failure::new(Code::NoSpace, message))
            }
            _ => Ok(()),
        }
    }

    /// Counts bytes that came or went.
    pub(super) fn charge(&self, bytes: i64) {
        for (prefix, measured) in self.storage().inner.usage.lock().iter_mut() {
            if is_below(prefix, self.name().as_str()) {
                measured.bytes += bytes;
            }
        }
    }
}

impl Storage {
    fn measure(&self, prefix: &str) -> Result<i64, Failure> {
        let mut bytes = 0;
        self.visit(|repository| {
            if !is_below(prefix, repository.name().as_str()) {
                return Ok(());
            }
            for dir in [
                repository.blobs(),
                repository.manifests(),
                repository.uploads(),
            ] {
                for (_, path) in disk::all_names(&dir)? {
                    bytes += disk::stat(&path)?.map_or(0, |stat| stat.st_size);
                }
            }
            Ok(())
        })?;
        Ok(bytes)
    }
}
