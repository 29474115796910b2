//! The command line: `berth-runtime [GLOBAL OPTIONS] VERB [OPTIONS] …`, with the words of other OCI
//! runtimes. One file a verb.
//!
//! Source: runc(8) and the OCI runtime command line interface, command-line-interface.md.

pub mod args;
mod create;
mod delete;
mod exec;
mod features;
mod init;
mod kill;
mod list;
mod log;
mod pause;
mod ps;
mod run;
mod spec;
mod start;
mod state;
mod terminal;
mod unshare;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result, step};
use crate::sealed;
use crate::state::Root;
use args::Args;
use log::Log;

const USAGE: &str = "\
usage: berth-runtime [--root DIR] [--log FILE] [--log-format text|json] VERB ...

  create    [-b BUNDLE] [--pid-file F] [--console-socket S] [--preserve-fds N] [--no-pivot] ID
  start     ID
  run       [-b BUNDLE] [-d] [--keep] [as create] ID
  exec      [-t] [-d] [-e K=V] [-u UID[:GID]] [--cwd D] [--cap C] [-p PROCESS.JSON]
            [--pid-file F] [--console-socket S] [--preserve-fds N] ID|--task DIR COMMAND...
  kill      [-a] ID [SIGNAL]
  delete    [-f] ID
  state     ID
  list      [-q] [-f table|json]
  ps        [-f table|json] ID
  pause     ID
  resume    ID
  spec      [-b BUNDLE] [--rootless]
  features
  unshare   [--] COMMAND...     as root of a user namespace with the caller's subordinate ids
  init      [--] COMMAND...     as process 1 of a container: passes signals on, reaps orphans
";

/// Options before the verb.
#[derive(Debug)]
pub(crate) struct Global {
    root: Root,
    log: Log,
    systemd_cgroup: bool,
}

/// Runs a command line (without the program's name) and returns the exit code.
pub fn main(program: &str, arguments: Vec<String>) -> i32 {
    // Bound into a container under this name, it is the container's little init.
    if Path::new(program)
        .file_name()
        .is_some_and(|name| name == "docker-init")
    {
        return init::main(arguments);
    }
    let mut args = Args::new(arguments);
    let global = match global(&mut args) {
        Ok(global) => global,
        Err(error) => return Log::default().fail(&error),
    };
    match verb(&global, args) {
        Ok(code) => code,
        Err(error) => global.log.fail(&error),
    }
}

fn global(args: &mut Args) -> Result<Global> {
    let (mut root, mut log, mut json, mut systemd_cgroup) = (None, None, false, false);
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "--root" => root = Some(PathBuf::from(args.value()?)),
            "--log" => log = Some(PathBuf::from(args.value()?)),
            "--log-format" => json = args.value()? == "json",
            "--systemd-cgroup" => systemd_cgroup = true,
            // Found out, not told.
            "--rootless" => drop(args.optional_value()),
            "--debug" => {}
            "-h" | "--help" => {
                print(USAGE)?;
                return Err(Error::Usage {
                    message: String::new(),
                });
            }
            "-v" | "--version" => args.set_verb("version"),
            other => return Err(args::unknown(other)),
        }
    }
    Ok(Global {
        root: Root::new(root),
        log: Log::new(log, json),
        systemd_cgroup,
    })
}

fn verb(global: &Global, mut args: Args) -> Result<i32> {
    let Some(verb) = args.next_operand() else {
        return Err(Error::Usage {
            message: USAGE.trim_end().to_owned(),
        });
    };
    if global.systemd_cgroup && matches!(verb.as_str(), "create" | "run") {
        return Err(Error::Unsupported {
            what: "--systemd-cgroup",
        });
    }
    // The container can come to execute this file: keep it from being written (R1).
    // The shim does it itself, where its failure is reported.
    if matches!(verb.as_str(), "create" | "run" | "exec") && rustix::process::geteuid().is_root() {
        sealed::ensure()?;
    }
    if !matches!(verb.as_str(), "exec" | "shim" | "unshare" | "init") {
        args.permute();
    }
    match verb.as_str() {
        "create" => create::main(global, args),
        "start" => start::main(global, args),
        "run" => run::main(global, args),
        "exec" => exec::main(global, args),
        "kill" => kill::main(global, args),
        "delete" => delete::main(global, args),
        "state" => state::main(global, args),
        "list" => list::main(global, args),
        "ps" => ps::main(global, args),
        "pause" => pause::main(global, args, true),
        "resume" => pause::main(global, args, false),
        "spec" => spec::main(args),
        "features" => features::main(args),
        "shim" => Ok(crate::shim::run(&args.rest())),
        "unshare" => unshare::main(args),
        "init" => Ok(init::main(args.rest())),
        "version" => {
            print(&format!(
                "berth-runtime {}\nspec: {}\n",
                env!("CARGO_PKG_VERSION"),
                berth_oci::spec::OCI_VERSION
            ))?;
            Ok(0)
        }
        "help" => {
            print(USAGE)?;
            Ok(0)
        }
        other => Err(Error::Usage {
            message: format!("there is no verb `{other}`: see berth-runtime --help"),
        }),
    }
}

/// Writes a result to standard output; a closed pipe is an error, not a panic.
pub(crate) fn print(text: &str) -> Result<()> {
    berth_fs::atomic::write_all(rustix::stdio::stdout(), text.as_bytes())
        .map_err(|e| step("write to standard output", e))
}

/// Writes pretty JSON to standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let json =
        serde_json::to_string_pretty(value).map_err(|e| step("write to standard output", e))?;
    print(&(json + "\n"))
}

/// Writes a pid where the caller asked for it, whole or not at all.
pub(crate) fn write_pid_file(path: &Path, pid: i32) -> Result<()> {
    let text = pid.to_string();
    berth_fs::atomic_write(path, text.as_bytes(), berth_fs::Durability::Volatile).map_err(|e| {
        Error::WriteFile {
            path: path.to_owned(),
            source: e.into(),
        }
    })
}
