//! The process that answers, asked by `dig` from inside network namespaces, with name servers that answer, are dead, slow
//! or lie. Everything is in namespaces and directories of the tests' own.
#![allow(clippy::unwrap_used, reason = "a test")]

mod elsewhere;
mod life;
mod limits;
mod names;
mod rig;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, word, run_dir] = &args[..]
        && word == "keeper"
    {
        return rig::keeper(run_dir.as_ref());
    }
    let short = [names::TESTS, elsewhere::TESTS, limits::TESTS, life::TESTS];
    testkit::harness::run(&short.concat(), &[])
}
