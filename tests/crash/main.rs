//! The crash sweep: berth is killed at every durable step of a verb, one run a step; afterwards everything
//! that was acknowledged is there, what was not is whole or absent, and `fsck` is clean after `--repair`.
//!
//! berth-fs counts the steps: `BERTH_FP=#N` kills at the Nth, `BERTH_FP_LOG` names them.
#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod daemon;
mod kill;
mod networks;
mod sweep;
