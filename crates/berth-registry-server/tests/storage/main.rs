//! The storage when things go wrong: killed, without power, full, and raced by collectors.

#![allow(
    clippy::unwrap_used,
    reason = "a test program: a panic is its way to fail"
)]

mod disk;
mod full;
mod kill;
mod power;
mod races;
mod work;

use std::path::Path;
use std::process::ExitCode;

use testkit::harness;

use full::{n10_a_full_disk_is_told_and_can_be_emptied, n10_no_block_is_left};
use kill::{a_push_syncs_no_more_than_it_must, killed_at_each_step};
use power::the_power_goes_at_each_step;
use races::g9_no_push_fails_and_nothing_is_lost;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["work", root, acknowledged] => {
            work::all(Path::new(root), Path::new(acknowledged));
            return ExitCode::SUCCESS;
        }
        ["push", root] => {
            work::push_once(Path::new(root));
            return ExitCode::SUCCESS;
        }
        ["collect", root] => loop {
            races::collect(Path::new(root));
        },
        _ => {}
    }
    harness::run(
        testkit::tests![
            killed_at_each_step,
            a_push_syncs_no_more_than_it_must,
            the_power_goes_at_each_step,
            n10_a_full_disk_is_told_and_can_be_emptied,
            n10_no_block_is_left,
            g9_no_push_fails_and_nothing_is_lost,
        ],
        &[],
    )
}
