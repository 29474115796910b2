//! Fail points: durable steps have names and are counted, and a test can end the process at any.
//!
//! - `BERTH_FP=store.commit.rename` ends it at the first step of that name, `…:3` at the third;
//! - `BERTH_FP=#7` ends it at the seventh step of whatever name;
//! - `BERTH_FP_LOG=FILE` appends each step's name and a newline to FILE: so a crash test learns how
//!   many steps an operation has, and no new step can be forgotten.
//!
//! The end is SIGKILL: no destructor, no handler runs. Children inherit the environment and count
//! for themselves. Unset, a step costs one atomic load.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock};

/// Passes the step `name`; a test may end the process here. `crate.operation.step` by convention.
#[macro_export]
macro_rules! failpoint {
    ($name:expr) => {
        $crate::failpoint::hit($name)
    };
}

enum When {
    Any(u64),
    Named(String, u64),
}

struct Plan {
    when: Option<When>,
    log: Option<std::fs::File>,
    passed: Mutex<Passed>,
}

#[derive(Default)]
struct Passed {
    all: u64,
    by_name: HashMap<String, u64>,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

/// What [`failpoint!`](crate::failpoint!) calls.
pub fn hit(name: &str) {
    if let Some(plan) = PLAN.get_or_init(Plan::from_environment) {
        plan.pass(name);
    }
}

impl Plan {
    fn from_environment() -> Option<Plan> {
        let when = std::env::var("BERTH_FP")
            .ok()
            .and_then(|text| When::parse(&text));
        let log = std::env::var_os("BERTH_FP_LOG").and_then(|path| {
            std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .ok()
        });
        if when.is_none() && log.is_none() {
            return None;
        }
        Some(Plan {
            when,
            log,
            passed: Mutex::default(),
        })
    }

    fn pass(&self, name: &str) {
        let mut passed = self
            .passed
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        passed.all += 1;
        let same_name = passed.by_name.entry(name.to_owned()).or_default();
        *same_name += 1;
        let same_name = *same_name;
        if let Some(mut log) = self.log.as_ref() {
            // A lost line would show in the test that counts them.
            let _ = log.write_all(format!("{name}\n").as_bytes());
        }
        let reached = match &self.when {
            None => false,
            Some(When::Any(n)) => passed.all == *n,
            Some(When::Named(wanted, n)) => wanted == name && same_name == *n,
        };
        if reached {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
            std::process::abort();
        }
    }
}

impl When {
    fn parse(text: &str) -> Option<When> {
        if let Some(n) = text.strip_prefix('#') {
            return n.parse().ok().map(When::Any);
        }
        match text.rsplit_once(':') {
            Some((name, n)) => n.parse().ok().map(|n| When::Named(name.to_owned(), n)),
            None if text.is_empty() => None,
            None => Some(When::Named(text.to_owned(), 1)),
        }
    }
}
