//! What name servers said is not there, for as long as they said, up to a minute. One for each container: so none learns
//! what others asked for, nor takes their room.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::limits::NEGATIVE;
use crate::message::{Negative, Query, Question};

/// A container's.
#[derive(Debug, Default)]
pub struct Cache(HashMap<Question, (Instant, Negative)>);

impl Cache {
    /// Remembers an answer.
    pub fn keep(&mut self, query: &Query, negative: Negative, now: Instant) {
        if negative.ttl == 0 {
            return;
        }
        if self.0.len() >= NEGATIVE {
            self.0.retain(|_, (end, _)| *end > now);
        }
        if self.0.len() >= NEGATIVE {
            // All are fresh: the one that ends first makes room.
            let first = self.0.iter().min_by_key(|(_, (end, _))| *end);
            if let Some(first) = first.map(|(question, _)| question.clone()) {
                self.0.remove(&first);
            }
        }
        let end = now + Duration::from_secs(negative.ttl.into());
        self.0.insert(query.question.clone(), (end, negative));
    }

    /// The answer, if it is remembered. Who wants signatures asks for himself.
    pub fn answer(&self, query: &Query, now: Instant) -> Option<Vec<u8>> {
        if query.edns.is_some_and(|edns| edns.signed) {
            return None;
        }
        let (end, negative) = self.0.get(&query.question)?;
        let left = end.checked_duration_since(now)?;
        // Rounded up: what holds, holds.
        let left = left.as_millis().div_ceil(1000) as u32;
        (left > 0).then(|| negative.reply(query, left))
    }

    /// Other name servers are asked from now on.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
