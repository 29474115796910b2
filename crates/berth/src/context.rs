//! Opens the engine as the options before the verb ask.

use std::path::{Path, PathBuf};

use berth_engine::network::BridgeOptions;
use berth_engine::{Engine, Options};

use crate::globals::{self, Globals};
use crate::ui::diagnostic::Failure;

/// Opens the engine.
///
/// # Errors
/// A helper program is missing; the state cannot be opened.
pub fn engine(globals: &Globals) -> Result<Engine, Failure> {
    let berth = own_program()?;
    let options = Options {
        root: absolute(&globals.root_dir())?,
        run_dir: absolute(&globals.run_directory())?,
        cgroup_parent: globals.cgroup_parent.clone(),
        runtime: helper(globals, &berth, "berth-runtime")?,
        monitor: helper(globals, &berth, "berth-monitor")?,
        berth,
        rootless: globals.rootless || globals::rootless(),
        driver: None,
        bridge: BridgeOptions {
            name: globals.bridge_name.clone(),
            subnet: globals.bridge_subnet,
        },
    };
    if globals.debug {
        crate::cmd::note(&format!("debug: {options:?}\n"));
    }
    let began = std::time::Instant::now();
    let engine = Engine::open(options)?;
    // A verb that needs it says what is wrong.
    let _ = engine.ensure_resolver();
    if globals.debug {
        crate::cmd::note(&format!(
            "debug: opened the engine in {:?}\n",
            began.elapsed()
        ));
    }
    Ok(engine)
}

/// `berth-runtime`, for verbs that need no engine.
///
/// # Errors
/// It is missing.
pub fn runtime(globals: &Globals) -> Result<PathBuf, Failure> {
    helper(globals, &own_program()?, "berth-runtime")
}

fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::of(&error).within("cannot find the running program"))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|e| {
        Failure::of(&e).within(format!("cannot use the directory `{}`", path.display()))
    })
}

/// A program of ours: where `--libexec` says, beside `berth`, or in `../libexec/berth`.
fn helper(globals: &Globals, berth: &Path, name: &str) -> Result<PathBuf, Failure> {
    let beside = berth.parent().unwrap_or(Path::new("/"));
    let places = match &globals.libexec {
        Some(dir) => vec![dir.clone()],
        None => vec![beside.to_owned(), beside.join("../libexec/berth")],
    };
    let found = places
        .iter()
        .map(|dir| dir.join(name))
        .find(|path| path.is_file());
    match found {
        Some(path) => absolute(&path),
        None => {
            let looked: Vec<String> = places
                .iter()
                .map(|dir| format!("`{}`", dir.display()))
                .collect();
            Err(Failure::new(format!("cannot find `{name}` in {}", looked.join(" or ")))
                .hint("it is built and installed with berth; --libexec (BERTH_LIBEXEC) says where it is"))
        }
    }
}
