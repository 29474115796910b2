//! The command line: `berth-runtime [GLOBAL OPTIONS] VERB [OPTIONS] …`, with the words of other OCI
//! runtimes. One file a verb.
//!
//! Source: runc(8) and the OCI runtime command line interface, command-line-interface.md.

pub mod args;
mod checkpoint;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod init;
mod kill;
mod list;
pub(crate) mod log;
mod notify;
mod pause;
mod ps;
mod restore;
mod run;
mod spec;
mod start;
mod state;
mod sub_cgroup;
mod terminal;
mod unshare;
mod update;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result, step};
use crate::state::{Root, Status};
use crate::{json, sealed, warning};
use args::Args;
use log::Log;

const USAGE: &str = "\
usage: berth-runtime [--root DIR] [--log FILE] [--log-format text|json] [--debug] [--systemd-cgroup]
                     [--rootless true|false|auto] VERB ...

  create    [-b BUNDLE] [--pid-file F] [--console-socket S] [--pidfd-socket S] [--preserve-fds N]
            [--no-pivot] [--no-new-keyring] ID
  start     ID
  run       [-b BUNDLE] [-d] [--keep] [--no-subreaper] [as create] ID
  exec      [-t] [-d] [-e K=V]... [-u UID[:GID]] [-g GID]... [--cwd D] [-c CAP]... [--no-new-privs]
            [--process-label L] [--apparmor P] [--cgroup [CONTROLLER,...:]PATH]... [--ignore-paused]
            [--pid-file F] [--console-socket S] [--pidfd-socket S] [--preserve-fds N]
            ID|--task DIR COMMAND... | -p PROCESS.JSON ID
  kill      [-a] ID [SIGNAL]
  delete    [-f] ID
  state     ID
  list      [-q] [-f table|json]
  ps        [-f table|json] ID [OPTIONS OF PS...]
  pause     ID
  resume    ID
  update    [-r FILE|-] [--memory N] [--memory-reservation N] [--memory-swap N] [--pids-limit N]
            [--cpu-share N] [--cpu-period N] [--cpu-quota N] [--cpu-burst N] [--cpu-idle 0|1]
            [--cpu-rt-period N] [--cpu-rt-runtime N] [--cpuset-cpus L] [--cpuset-mems L]
            [--blkio-weight N] [--l3-cache-schema S] [--mem-bw-schema S] ID
  events    [--stats] [--interval DURATION] ID
  checkpoint [--image-path D] [--work-path D] [--parent-path D] [--leave-running] [--pre-dump]
            [--tcp-established] [--tcp-skip-in-flight] [--link-remap] [--ext-unix-sk] [--shell-job]
            [--lazy-pages] [--status-fd N] [--page-server ADDRESS:PORT] [--file-locks] [--auto-dedup]
            [--manage-cgroups-mode soft|full|strict|ignore] [--empty-ns network] ID
  restore   [-b BUNDLE] [-d] [--pid-file F] [--console-socket S] [--no-subreaper] [--no-pivot]
            [--lsm-profile P] [--lsm-mount-context C] [--image-path D] [--work-path D] [as checkpoint] ID
  spec      [-b BUNDLE] [--rootless]
  features
  unshare   [--] COMMAND...     as root of a user namespace with the caller's subordinate ids
  init      [--] COMMAND...     as process 1 of a container: passes signals on, reaps orphans
";

/// Options before the verb.
#[derive(Debug)]
pub(crate) struct Global {
    root: Root,
    systemd_cgroup: bool,
    /// Whether what a user may not do to cgroups is left undone; `None`: to be found out.
    rootless: Option<bool>,
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
    let mut told = Log::default();
    match global(&mut args, &mut told).and_then(|global| verb(&global, args)) {
        Ok(code) => code,
        Err(Error::Help) => print(USAGE).map_or(125, |()| 0),
        Err(error) => told.fail(&error),
    }
}

/// Reads the options before the verb. The log is known before all of them are.
fn global(args: &mut Args, log: &mut Log) -> Result<Global> {
    let (mut root, mut systemd_cgroup, mut rootless, mut debug) = (None, false, None, false);
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "--root" => root = Some(PathBuf::from(args.value()?)),
            "--log" => {
                log.file = Some(args.value()?.into()).filter(|p: &PathBuf| p != Path::new(""))
            }
            "--log-format" => {
                log.json = match args.value()?.as_str() {
                    "json" => true,
                    "text" | "" => false,
                    other => return Err(args::usage(format!("invalid log-format: {other}"))),
                }
            }
            "--systemd-cgroup" => systemd_cgroup = args.flag()?,
            "--rootless" => {
                let text = args.value()?;
                rootless = args::boolean(&text);
                if rootless.is_none() && !text.is_empty() && !text.eq_ignore_ascii_case("auto") {
                    return Err(args::usage(format!(
                        "--rootless is true, false or auto, not `{text}`"
                    )));
                }
            }
            "--debug" => debug = args.flag()?,
            // criu is found in $PATH.
            "--criu" => drop(args.value()?),
            "-v" | "--version" => args.set_verb("version"),
            other => return Err(args::unknown(other)),
        }
    }
    if root
        .as_deref()
        .is_some_and(|root| matches!(root.to_str(), Some("" | "/")))
    {
        return Err(args::usage(
            "Option --root argument should not be set to /".to_owned(),
        ));
    }
    if log.file.is_some() {
        let log = log.clone();
        warning::send_to(move |what| log.warn(what));
    }
    if debug {
        log.start_debugging()?;
    }
    Ok(Global {
        root: Root::new(root),
        systemd_cgroup,
        rootless,
    })
}

fn verb(global: &Global, mut args: Args) -> Result<i32> {
    let Some(verb) = args.next_operand() else {
        return Err(Error::Usage {
            message: USAGE.trim_end().to_owned(),
        });
    };
    log::debug(format_args!("{verb} {}", args.line()));
    // The container can come to execute this file: keep it from being written (R1).
    // The shim does it itself, where its failure is reported.
    if matches!(verb.as_str(), "create" | "run" | "exec") && rustix::process::geteuid().is_root() {
        sealed::ensure()?;
    }
    if !matches!(verb.as_str(), "exec" | "ps" | "shim" | "unshare" | "init") {
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
        "events" => events::main(global, args),
        "update" => update::main(global, args),
        "spec" => spec::main(args),
        "features" => features::main(args),
        "shim" => Ok(crate::shim::run(&args.rest())),
        "checkpoint" => checkpoint::main(global, args),
        "restore" => restore::main(global, args),
        "unshare" => unshare::main(args),
        "init" => Ok(init::main(args.rest())),
        "version" => {
            print(format!(
                "berth-runtime version {}\nspec: {}\n",
                env!("CARGO_PKG_VERSION"),
                berth_oci::spec::OCI_VERSION
            ))?;
            Ok(0)
        }
        "help" => Err(Error::Help),
        other => Err(Error::Usage {
            message: format!("there is no verb `{other}`: see berth-runtime --help"),
        }),
    }
}

/// A container that is not in a state for the verb.
fn wrong_state(verb: &'static str, id: &str, status: Status) -> Error {
    Error::WrongState {
        verb,
        id: id.to_owned(),
        status: status.word(),
    }
}

/// Writes a result to standard output; a closed pipe is an error, not a panic.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    berth_fs::atomic::write_all(rustix::stdio::stdout(), text.as_ref())
        .map_err(|e| step("write to standard output", e))
}

/// Writes pretty JSON to standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let json = json::write_pretty(value).map_err(|e| step("write to standard output", e))?;
    print(json + "\n")
}

/// Writes JSON to standard output, in one line.
pub(crate) fn print_compact(value: &impl serde::Serialize) -> Result<()> {
    let mut json = json::write(value).map_err(|e| step("write to standard output", e))?;
    json.push(b'\n');
    print(json)
}

/// The value of `--format`.
fn json_wanted(args: &mut Args) -> Result<bool> {
    match args.value()?.as_str() {
        "json" => Ok(true),
        "table" => Ok(false),
        _ => Err(args::usage("invalid format option".to_owned())),
    }
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
