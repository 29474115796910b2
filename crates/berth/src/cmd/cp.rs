//! `berth cp`.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use berth_engine::archive::{self, HostTree, PathStat, PutOptions};
use berth_engine::{Engine, Error};
use berth_model::ContainerId;
use berth_model::path::shortest;

use crate::context;
use crate::copy::{self, Side, There};
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Copy files between a container and the host; `-` is an archive on standard input or output
#[derive(Debug, clap::Args)]
pub struct Cp {
    /// All becomes that of the user that the container's program runs as
    #[arg(short, long)]
    archive: bool,
    /// Follow a link that the source is
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Do not say what was copied
    #[arg(short, long)]
    quiet: bool,
    /// CONTAINER:PATH, PATH, or -
    source: String,
    /// Likewise
    #[arg(value_name = "DESTINATION")]
    destination: String,
}

impl Verb for Cp {
    const USAGE: Option<&'static str> = Some(
        "berth cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n       berth cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    );

    fn run(self, globals: &Globals) -> Outcome {
        for (what, text) in [("source", &self.source), ("destination", &self.destination)] {
            if text.is_empty() {
                return Err(Failure::new(format!("{what} can not be empty")));
            }
        }
        match (Side::parse(&self.source), Side::parse(&self.destination)) {
            (Side::Inside { .. }, Side::Inside { .. }) => {
                Err(Failure::new("copying between containers is not supported")
                    .hint("berth cp A:PATH - | berth cp - B:PATH"))
            }
            (Side::Inside { container, path }, to) => {
                let engine = context::engine(globals)?;
                let id = engine.find(container)?;
                self.copy_out(&engine, &id, path, &to)
            }
            (from, Side::Inside { container, path }) => {
                let engine = context::engine(globals)?;
                let id = engine.find(container)?;
                self.copy_in(&engine, &id, &from, path)
            }
            _ => Err(Failure::new("must specify at least one container source")),
        }?;
        if !self.quiet && io::stderr().is_terminal() && self.destination != "-" {
            super::note(&format!("Successfully copied to {}\n", self.destination));
        }
        Ok(0)
    }
}

impl Cp {
    /// From a container.
    fn copy_out(
        &self,
        engine: &Engine,
        id: &ContainerId,
        path: &str,
        to: &Side<'_>,
    ) -> Result<(), Failure> {
        let target = match to {
            Side::Host(path) => Some(copy::absolute(path, &cwd()?)),
            _ => None,
        };
        if let Some(target) = &target {
            check_output(target)?;
        } else if io::stdout().is_terminal() {
            return Err(Failure::new("refusing to write an archive to a terminal")
                .hint("name a file or directory, or redirect the output"));
        }
        let (path, called) = match self.follow_link {
            true => followed(engine, id, path)?,
            false => (path.to_owned(), None),
        };
        let mut content = engine.read_archive(id, &path)?;
        let Some(target) = target else {
            return match io::copy(&mut content, &mut io::stdout().lock()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::exit(1)),
                done => done.map(|_| ()).map_err(unwrapped),
            };
        };
        let (target, there) = host_destination(&target)?;
        let plan = copy::plan(is_dir(&content.stat), &target, there).map_err(Failure::new)?;
        let name = plan.name.or(called);
        let root = match content.stat.name.as_str() {
            // Of these the content has no first component.
            "." | "/" => Vec::new(),
            name => name.as_bytes().to_vec(),
        };
        let rename = name.map(|name| (root, name.into_bytes()));
        Ok(archive::unpack(content, Path::new(&plan.dir), rename)?)
    }

    /// Into a container.
    fn copy_in(
        &self,
        engine: &Engine,
        id: &ContainerId,
        from: &Side<'_>,
        path: &str,
    ) -> Result<(), Failure> {
        let (target, there) = inside_destination(engine, id, path)?;
        let options = PutOptions {
            no_overwrite_dir_non_dir: true,
            copy_uid_gid: self.archive,
        };
        let Side::Host(source) = from else {
            if there != There::Dir {
                let message = format!("destination \"{}:{path}\" must be a directory", id.short());
                return Err(Failure::new(message));
            }
            return Ok(engine.write_archive(id, &target, options, io::stdin().lock())?);
        };
        let full = copy::absolute(source, &cwd()?);
        let (resolved, called) = host_source(&full, self.follow_link)?;
        let tree = HostTree::open(Path::new(&resolved))?;
        let plan = copy::plan(tree.is_dir(), &target, there).map_err(Failure::new)?;
        let name = plan
            .name
            .or(called)
            .unwrap_or_else(|| copy::split(&resolved).1);
        let (reader, writer) = io::pipe()?;
        std::thread::scope(|scope| {
            let packer = scope.spawn(|| archive::pack(&tree, name.as_bytes(), buffered(writer)));
            let unpacked = engine.write_archive(id, &plan.dir, options, reader);
            let packed = packer.join().unwrap_or(Ok(()));
            // A packer that nobody listens to says only that.
            unpacked?;
            Ok(packed?)
        })
    }
}

fn buffered(writer: io::PipeWriter) -> io::BufWriter<io::PipeWriter> {
    io::BufWriter::with_capacity(256 << 10, writer)
}

fn cwd() -> Result<std::path::PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::of(&error).within("cannot tell where we are"))
}

/// An error of the engine's that came through a reader.
fn unwrapped(error: io::Error) -> Failure {
    match error.downcast::<Error>() {
        Ok(error) => Failure::from(error),
        Err(error) => Failure::of(&error).within("cannot copy"),
    }
}

fn is_dir(stat: &PathStat) -> bool {
    stat.mode & 0o170_000 == 0o040_000
}

fn is_link(stat: &PathStat) -> bool {
    stat.mode & 0o170_000 == 0o120_000
}

/// `-L` of a link inside: where it leads, and the name that the copy keeps.
fn followed(
    engine: &Engine,
    id: &ContainerId,
    path: &str,
) -> Result<(String, Option<String>), Failure> {
    match engine.path_stat(id, path) {
        Ok(stat) if is_link(&stat) => Ok(called(path, stat.link_target)),
        // What is not there is told by the copy.
        _ => Ok((path.to_owned(), None)),
    }
}

/// A path that a link has led to, with the end of the one that was asked for; and that one's name if it differs.
fn called(path: &str, target: String) -> (String, Option<String>) {
    let target = copy::keep_end(target, path);
    let (asked, found) = (copy::split(path).1, copy::split(&target).1);
    let name = (asked != found).then_some(asked);
    (target, name)
}

/// What the destination in a container is; a link leads to what it leads to.
fn inside_destination(
    engine: &Engine,
    id: &ContainerId,
    path: &str,
) -> Result<(String, There), Failure> {
    if path.is_empty() {
        // Docker knows nothing there.
        return Ok((".".to_owned(), There::Nothing));
    }
    let mut path = path.to_owned();
    let mut stat = engine.path_stat(id, &path);
    if let Ok(found) = &stat
        && is_link(found)
    {
        path.clone_from(&found.link_target);
        stat = engine.path_stat(id, &path);
    }
    let there = match stat {
        Ok(stat) if is_dir(&stat) => There::Dir,
        Ok(stat) if stat.mode & 0o170_000 == 0o100_000 || is_link(&stat) => There::Other,
        Ok(_) => {
            let message = format!(
                "destination \"{}:{path}\" must be a directory or a regular file",
                id.short()
            );
            return Err(Failure::new(message));
        }
        // If its directory is not there either, the copy tells.
        Err(Error::NoPath { .. } | Error::CopyFiles { .. }) => There::Nothing,
        Err(error) => return Err(error.into()),
    };
    // From the root, as all paths inside.
    let path = match path.starts_with('/') {
        true => path,
        false => format!("/{path}"),
    };
    Ok((path, there))
}

/// What the destination on the host is, links followed.
fn host_destination(path: &str) -> Result<(String, There), Failure> {
    const LINKS: usize = 10;
    let mut path = path.to_owned();
    for _ in 0..=LINKS {
        // A slash at the end would have the link followed here.
        let bare = path.trim_end_matches('/');
        let bare = if bare.is_empty() { "/" } else { bare };
        match std::fs::symlink_metadata(bare) {
            Ok(found) if found.is_symlink() => {
                let target = std::fs::read_link(bare)?.into_os_string().into_vec();
                let target = String::from_utf8_lossy(&target).into_owned();
                let (dir, _) = copy::split(bare);
                let end = path.clone();
                path = match target.starts_with('/') {
                    true => shortest(&target),
                    false => shortest(&format!("{dir}/{target}")),
                };
                path = copy::keep_end(path, &end);
            }
            Ok(found) if found.is_dir() => return Ok((path, There::Dir)),
            Ok(_) => return Ok((path, There::Other)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (dir, _) = copy::split(&path);
                return match std::fs::metadata(&dir) {
                    Ok(found) if found.is_dir() => Ok((path, There::Nothing)),
                    Ok(_) => Err(Failure::new(format!("`{dir}` is not a directory"))),
                    Err(error) => Err(Failure::of(&error).within(format!("cannot use `{dir}`"))),
                };
            }
            Err(error) => return Err(Failure::of(&error).within(format!("cannot use `{path}`"))),
        }
    }
    Err(Failure::new(format!("too many symlinks in {path}")))
}

/// The source on the host with the links before its last component followed (`-L`: that one's, too), and the name that
/// the copy keeps if that differs.
fn host_source(path: &str, follow: bool) -> Result<(String, Option<String>), Failure> {
    let text = |path: std::path::PathBuf| {
        let text = OsString::from(path).into_string();
        text.map_err(|_| Failure::new("the source's path is not UTF-8"))
    };
    let failed = |error: io::Error| Failure::of(&error).within(format!("cannot use `{path}`"));
    if follow {
        let target = text(std::fs::canonicalize(path).map_err(failed)?)?;
        return Ok(called(path, target));
    }
    let (dir, base) = path.rsplit_once('/').unwrap_or((".", path));
    let dir = if dir.is_empty() { "/" } else { dir };
    let resolved = text(std::fs::canonicalize(dir).map_err(failed)?)?;
    let full = format!("{}/{base}", resolved.trim_end_matches('/'));
    std::fs::symlink_metadata(&full).map_err(failed)?;
    let (asked, found) = (copy::split(path).1, copy::split(&full).1);
    let renamed = path.ends_with('/') && asked != found;
    Ok((full, renamed.then_some(asked)))
}

/// Refuses what an archive cannot be unpacked to.
fn check_output(path: &str) -> Result<(), Failure> {
    let (dir, _) = copy::split(path);
    if !Path::new(&dir).exists() {
        let message = format!("invalid output path: directory \"{dir}\" does not exist");
        return Err(Failure::new(message));
    }
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() && !found.is_file() => {
            let kind = found.file_type();
            let what = match kind.is_char_device() || kind.is_block_device() {
                true => "got a device",
                false => "got an irregular file",
            };
            Err(Failure::new(what).within(format!(
                "invalid output path: \"{path}\" must be a directory or a regular file"
            )))
        }
        _ => Ok(()),
    }
}
