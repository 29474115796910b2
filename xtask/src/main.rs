//! Tasks for those who work on berth: `cargo run -p xtask -- tidy`.

use std::process::ExitCode;

mod tidy;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(),
        _ => {
            eprintln!("usage: xtask tidy");
            ExitCode::from(2)
        }
    }
}
